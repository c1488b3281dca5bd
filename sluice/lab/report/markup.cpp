// Implements escaped(): replaces five characters, controls and invalid UTF-8.
#include "sluice/lab/report/markup.hpp"

#include "sluice/wire/text.hpp"

namespace sluice::lab {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char each : wire::replace_invalid_utf8(text)) {
        const bool control =
            (each >= 0 && each < ' ' && each != '\n' && each != '\t') || each == '\x7f';
        switch (each) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default:
                if (control) {
                    out += "\uFFFD";
                } else {
                    out += each;
                }
        }
    }
    return out;
}

}  // namespace sluice::lab
