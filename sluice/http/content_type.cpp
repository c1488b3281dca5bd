// Implements content_type_of with sorted tables of extensions, and is_media_type.
#include "sluice/http/content_type.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

struct known {
    std::string_view extension;
    std::string_view type;
};

constexpr std::size_t longest = 16;

// Overrides of Debian's types: sources that browsers show instead of saving, and types that were
// registered since.
constexpr std::array overrides{
    known{"bz2", "application/x-bzip2"},       known{"c", "text/plain; charset=utf-8"},
    known{"cpp", "text/plain; charset=utf-8"}, known{"h", "text/plain; charset=utf-8"},
    known{"hpp", "text/plain; charset=utf-8"}, known{"iso", "application/vnd.efi.iso"},
    known{"log", "text/plain; charset=utf-8"}, known{"mkv", "video/matroska"},
    known{"py", "text/plain; charset=utf-8"},  known{"sh", "text/plain; charset=utf-8"},
    known{"toml", "application/toml"},         known{"wav", "audio/wav"},
    known{"yaml", "application/yaml"},         known{"yml", "application/yaml"},
};
static_assert(std::ranges::is_sorted(overrides, {}, &known::extension));

// Generated from /etc/mime.types (cmake/media_types.cmake).
constexpr auto debian_types = std::to_array<known>({
#include "media_types.inc"
});
static_assert(std::ranges::is_sorted(debian_types, {}, &known::extension));

template <std::size_t N>
std::string_view find_in(const std::array<known, N>& table, std::string_view extension) noexcept {
    const auto* const found = std::ranges::lower_bound(table, extension, {}, &known::extension);
    return found != table.end() && found->extension == extension ? found->type : std::string_view{};
}

/// Removes a token from the front of `text`; false if there is none.
bool take_token(std::string_view& text) noexcept {
    std::size_t length = 0;
    while (length < text.size() && is_token_character(text[length])) ++length;
    text.remove_prefix(length);
    return length > 0;
}

bool take_character(std::string_view& text, char c) noexcept {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
}

/// Removes the rest of a quoted string, its closing quote included; false if it is malformed.
bool take_quoted(std::string_view& text) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') {
            text.remove_prefix(i + 1);
            return true;
        }
        if (text[i] == '\\') ++i;
        const auto byte = i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) return false;
    }
    return false;
}

}  // namespace

std::string_view content_type_of(std::string_view name) noexcept {
    constexpr std::string_view unknown = "application/octet-stream";
    const auto dot = name.rfind('.');
    if (dot == std::string_view::npos || name.find('/', dot) != std::string_view::npos) {
        return unknown;
    }
    const auto written = name.substr(dot + 1);
    if (written.size() > longest) return unknown;
    std::array<char, longest> buffer{};
    std::ranges::transform(written, buffer.begin(), lower);
    const std::string_view extension{buffer.data(), written.size()};
    if (const auto type = find_in(overrides, extension); !type.empty()) return type;
    const auto type = find_in(debian_types, extension);
    return type.empty() ? unknown : type;
}

bool is_media_type(std::string_view text) noexcept {
    if (text.size() > longest_media_type) return false;
    if (!take_token(text) || !take_character(text, '/') || !take_token(text)) return false;
    while (!text.empty()) {
        text = trim_blanks(text);
        if (!take_character(text, ';')) return false;
        text = trim_blanks(text);
        // Empty parameters are allowed (RFC 9110, section 5.6.6).
        if (text.empty() || text.front() == ';') continue;
        if (!take_token(text) || !take_character(text, '=')) return false;
        if (take_character(text, '"') ? !take_quoted(text) : !take_token(text)) return false;
    }
    return true;
}

}  // namespace sluice::http
