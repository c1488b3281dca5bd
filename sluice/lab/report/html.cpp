// Writes the page from its head to its foot.
#include "sluice/lab/report/html.hpp"

#include <fmt/format.h>

#include <string_view>

#include "sluice/lab/report/answers.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char each : wire::replace_invalid_utf8(text)) {
        switch (each) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += each;
        }
    }
    return out;
}

}  // namespace

std::string as_html(const results& found, baseline base) {
    std::string out =
        R"(<!doctype html><html lang="en"><meta charset="utf-8"><title>sluice lab</title><ul>)";
    for (const auto& each : answers_of(found, base)) {
        out += fmt::format("<li>{} {}</li>", escaped(each.place), escaped(each.sentence));
    }
    out += "</ul><pre>" + escaped(as_text(found, {.columns = 120, .unicode = true, .base = base}));
    return out + "</pre></html>\n";
}

}  // namespace sluice::lab
