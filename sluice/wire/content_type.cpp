// A sorted table of extensions.
#include "sluice/wire/content_type.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "sluice/wire/http_text.hpp"

namespace sluice::wire {
namespace {

struct known {
    std::string_view extension;
    std::string_view type;
};

constexpr std::size_t longest = 8;

constexpr std::array table{
    known{"7z", "application/x-7z-compressed"},
    known{"aac", "audio/aac"},
    known{"avif", "image/avif"},
    known{"bmp", "image/bmp"},
    known{"bz2", "application/x-bzip2"},
    known{"c", "text/plain; charset=utf-8"},
    known{"cpp", "text/plain; charset=utf-8"},
    known{"css", "text/css; charset=utf-8"},
    known{"csv", "text/csv; charset=utf-8"},
    known{"deb", "application/vnd.debian.binary-package"},
    known{"epub", "application/epub+zip"},
    known{"flac", "audio/flac"},
    known{"gif", "image/gif"},
    known{"gz", "application/gzip"},
    known{"h", "text/plain; charset=utf-8"},
    known{"hpp", "text/plain; charset=utf-8"},
    known{"htm", "text/html; charset=utf-8"},
    known{"html", "text/html; charset=utf-8"},
    known{"ico", "image/vnd.microsoft.icon"},
    known{"iso", "application/vnd.efi.iso"},
    known{"jpeg", "image/jpeg"},
    known{"jpg", "image/jpeg"},
    known{"js", "text/javascript; charset=utf-8"},
    known{"json", "application/json"},
    known{"log", "text/plain; charset=utf-8"},
    known{"m4a", "audio/mp4"},
    known{"md", "text/markdown; charset=utf-8"},
    known{"mjs", "text/javascript; charset=utf-8"},
    known{"mkv", "video/matroska"},
    known{"mov", "video/quicktime"},
    known{"mp3", "audio/mpeg"},
    known{"mp4", "video/mp4"},
    known{"oga", "audio/ogg"},
    known{"ogg", "audio/ogg"},
    known{"ogv", "video/ogg"},
    known{"opus", "audio/ogg"},
    known{"otf", "font/otf"},
    known{"pdf", "application/pdf"},
    known{"png", "image/png"},
    known{"py", "text/plain; charset=utf-8"},
    known{"rtf", "application/rtf"},
    known{"sh", "text/plain; charset=utf-8"},
    known{"svg", "image/svg+xml"},
    known{"tar", "application/x-tar"},
    known{"tif", "image/tiff"},
    known{"tiff", "image/tiff"},
    known{"toml", "application/toml"},
    known{"tsv", "text/tab-separated-values; charset=utf-8"},
    known{"ttf", "font/ttf"},
    known{"txt", "text/plain; charset=utf-8"},
    known{"wasm", "application/wasm"},
    known{"wav", "audio/wav"},
    known{"webm", "video/webm"},
    known{"webp", "image/webp"},
    known{"woff", "font/woff"},
    known{"woff2", "font/woff2"},
    known{"xml", "application/xml"},
    known{"xz", "application/x-xz"},
    known{"yaml", "application/yaml"},
    known{"yml", "application/yaml"},
    known{"zip", "application/zip"},
    known{"zst", "application/zstd"},
};
static_assert(std::ranges::is_sorted(table, {}, &known::extension));

}  // namespace

std::string_view content_type_of(std::string_view name) noexcept {
    constexpr std::string_view unknown = "application/octet-stream";
    const auto dot = name.rfind('.');
    if (dot == std::string_view::npos || name.find('/', dot) != std::string_view::npos) {
        return unknown;
    }
    const auto written = name.substr(dot + 1);
    if (written.size() > longest) return unknown;
    std::array<char, longest> room{};
    std::ranges::transform(written, room.begin(), lower);
    const std::string_view extension{room.data(), written.size()};
    const auto* const found = std::ranges::lower_bound(table, extension, {}, &known::extension);
    return found != table.end() && found->extension == extension ? found->type : unknown;
}

}  // namespace sluice::wire
