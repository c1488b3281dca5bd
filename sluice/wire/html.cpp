// Implements escape_html(), a character at a time.
#include "sluice/wire/html.hpp"

#include "sluice/wire/text.hpp"

namespace sluice::wire {

std::string escape_html(std::string_view text) {
    std::string out;
    for (const char c : replace_invalid_utf8(text)) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            case '\x7f': out += "\u2421"; break;
            default:
                // HTML cannot hold ASCII control characters.
                if (static_cast<unsigned char>(c) < 0x20) {
                    out += "\xe2\x90";
                    out += static_cast<char>(0x80 + c);
                } else {
                    out += c;
                }
        }
    }
    return out;
}

}  // namespace sluice::wire
