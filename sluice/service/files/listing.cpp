// Sorts the entries, and writes them as JSON.
#include "sluice/service/files/listing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "sluice/wire/text.hpp"

namespace sluice::service::files {
namespace {

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : wire::replace_invalid_utf8(text)) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    out += '"';
}

void append_entry(std::string& out, const listing_entry& entry) {
    out += R"({"name":)";
    append_quoted(out, entry.name);
    if (entry.directory) {
        out += R"(,"type":"directory")";
    } else {
        fmt::format_to(std::back_inserter(out), R"(,"type":"file","size":{})", entry.size);
    }
    fmt::format_to(std::back_inserter(out), R"(,"modified":"{}"}})", timestamp(entry.modified));
}

}  // namespace

std::vector<const listing_entry*> in_order(const listing& what) {
    std::vector<const listing_entry*> sorted;
    sorted.reserve(what.entries.size());
    for (const auto& entry : what.entries) sorted.push_back(&entry);
    std::ranges::sort(sorted, [](const listing_entry* a, const listing_entry* b) {
        return a->directory != b->directory ? a->directory : a->name < b->name;
    });
    return sorted;
}

std::string timestamp(std::chrono::sys_seconds when) {
    const auto day = std::chrono::floor<std::chrono::days>(when);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{when - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::string listing_json(const listing& what) {
    std::string out = R"({"path":)";
    append_quoted(out, what.path);
    out += R"(,"entries":[)";
    bool first = true;
    for (const auto* entry : in_order(what)) {
        if (!first) out += ',';
        first = false;
        append_entry(out, *entry);
    }
    out += "]}\n";
    return out;
}

}  // namespace sluice::service::files
