// Implements chunk_decoder, a state machine over bytes.
#include "sluice/http/chunked.hpp"

#include <algorithm>
#include <limits>

#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

constexpr unsigned most_digits = 16;
constexpr std::size_t most_extensions = 1024;
constexpr std::size_t most_trailers = 8 * 1024;

bool is_control(char c) noexcept {
    return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f';
}

}  // namespace

chunk_decoder::step chunk_decoder::next(std::string_view input) {
    for (std::size_t at = 0;; ++at) {
        if (place_ == place::end) return {.what = found::end, .taken = at};
        if (place_ == place::lost) return {.what = found::mistake, .taken = at};
        if (at == input.size()) return {.what = found::nothing, .taken = at};
        if (place_ == place::data) {
            const auto length =
                static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size() - at));
            left_ -= length;
            given_ += length;
            if (left_ == 0) place_ = place::data_end;
            return {.what = found::data, .taken = at + length, .data = input.substr(at, length)};
        }
        const char c = input[at];
        bool good = false;
        if (place_ == place::size)
            good = take_size(c);
        else if (place_ == place::extension)
            good = take_extension(c);
        else if (place_ == place::data_end)
            good = take_data_end(c);
        else
            good = take_trailer(c);
        if (!good) place_ = place::lost;
    }
}

bool chunk_decoder::take_size(char c) noexcept {
    if (const auto value = hex_value(c)) {
        left_ = (left_ << 4U) | *value;
        return ++digits_ <= most_digits && left_ <= std::numeric_limits<std::int64_t>::max();
    }
    if (digits_ == 0) return false;
    place_ = place::extension;
    ext_ = ext::none;
    skipped_bytes_ = 0;
    return take_extension(c);
}

bool chunk_decoder::take_extension(char c) noexcept {
    if (carriage_return_) {
        if (c != '\n') return false;
        end_size_line();
        return true;
    }
    if (c == '\r') {
        carriage_return_ = true;
        return extension_may_end();
    }
    return ++skipped_bytes_ <= most_extensions && !is_control(c) && take_extension_character(c);
}

bool chunk_decoder::extension_may_end() const noexcept {
    return ext_ == ext::none || ext_ == ext::name || ext_ == ext::token;
}

bool chunk_decoder::take_extension_character(char c) noexcept {
    const bool blank = c == ' ' || c == '\t';
    const auto go_to = [this](ext next) {
        ext_ = next;
        return true;
    };
    switch (ext_) {
        case ext::none:
            if (c == ';') return go_to(ext::semicolon);
            return blank;
        case ext::semicolon:
            if (is_token_character(c)) return go_to(ext::name);
            return blank;
        case ext::name:
        case ext::name_blank:
            if (c == ';') return go_to(ext::semicolon);
            if (c == '=') return go_to(ext::equals);
            if (blank) return go_to(ext::name_blank);
            return ext_ == ext::name && is_token_character(c);
        case ext::equals:
            if (c == '"') return go_to(ext::quoted);
            if (is_token_character(c)) return go_to(ext::token);
            return blank;
        case ext::token:
            if (c == ';') return go_to(ext::semicolon);
            if (blank) return go_to(ext::none);
            return is_token_character(c);
        case ext::quoted:
            if (c == '"') return go_to(ext::none);
            if (c == '\\') return go_to(ext::escaped);
            return true;
        case ext::escaped: return go_to(ext::quoted);
    }
    return false;
}

void chunk_decoder::end_size_line() noexcept {
    carriage_return_ = false;
    digits_ = 0;
    skipped_bytes_ = 0;
    place_ = left_ == 0 ? place::trailer : place::data;
}

bool chunk_decoder::take_data_end(char c) noexcept {
    if (!carriage_return_) {
        carriage_return_ = true;
        return c == '\r';
    }
    carriage_return_ = false;
    place_ = place::size;
    return c == '\n';
}

bool chunk_decoder::take_trailer(char c) {
    if (++skipped_bytes_ > most_trailers) return false;
    if (carriage_return_) {
        carriage_return_ = false;
        return c == '\n' && take_trailer_line();
    }
    if (c == '\r') {
        carriage_return_ = true;
        return true;
    }
    if (is_control(c)) return false;
    line_ += c;
    return true;
}

bool chunk_decoder::take_trailer_line() {
    if (line_.empty()) {
        place_ = place::end;
        return true;
    }
    const auto colon = line_.find(':');
    const std::string_view line{line_};
    if (colon == std::string::npos || !is_token(line.substr(0, colon))) return false;
    if (same_word(line.substr(0, colon), "repr-digest")) {
        repr_digest_ = trim_blanks(line.substr(colon + 1));
    } else if (same_word(line.substr(0, colon), "content-digest")) {
        content_digest_ = trim_blanks(line.substr(colon + 1));
    }
    line_.clear();
    return true;
}

}  // namespace sluice::http
