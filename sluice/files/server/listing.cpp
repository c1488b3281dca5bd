// Implements listings: JSON, and the order of the pieces in both formats.
#include "sluice/files/server/listing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "sluice/files/server/listing_page.hpp"
#include "sluice/wire/json_string.hpp"

namespace sluice::files {
namespace {

void append_json_entry(std::string& out, const listing_entry& entry) {
    out += R"({"name":)";
    wire::append_json_string(out, entry.name);
    if (entry.directory) {
        out += R"(,"type":"directory")";
    } else {
        fmt::format_to(std::back_inserter(out), R"(,"type":"file","size":{})", entry.size);
    }
    fmt::format_to(std::back_inserter(out), R"(,"modified":"{}"}})", timestamp(entry.modified));
}

void append_json_end(std::string& out, const listing& what) {
    out += ']';
    auto to = std::back_inserter(out);
    if (what.page > 0) {
        fmt::format_to(to, R"(,"page":{},"pages":{})", what.page, what.pages());
    }
    if (what.holds->unlisted > 0) fmt::format_to(to, R"(,"unlisted":{})", what.holds->unlisted);
    if (what.holds->omitted > 0) fmt::format_to(to, R"(,"omitted":{})", what.holds->omitted);
    out += "}\n";
}

}  // namespace

std::size_t listing::pages() const noexcept {
    return std::max<std::size_t>((holds->entries.size() + page_size - 1) / page_size, 1);
}

std::size_t listing::first() const noexcept {
    return page == 0 ? 0 : std::min((page - 1) * page_size, holds->entries.size());
}

std::size_t listing::last() const noexcept {
    return page == 0 ? holds->entries.size() : std::min(page * page_size, holds->entries.size());
}

std::string timestamp(std::chrono::sys_seconds when) {
    const auto day = std::chrono::floor<std::chrono::days>(when);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{when - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       time.hours().count(), time.minutes().count(), time.seconds().count());
}

listing_writer::listing_writer(listing what, form how)
    : what_{std::move(what)}, form_{how}, at_{what_.first()} {}

bool listing_writer::next(std::string& out, std::size_t piece) {
    if (stage_ == stage::done) return false;
    const std::size_t goal = out.size() + piece;
    const bool json = form_ == form::json;
    if (stage_ == stage::beginning) {
        stage_ = stage::entries;
        if (json) {
            out += R"({"path":)";
            wire::append_json_string(out, what_.path);
            out += R"(,"entries":[)";
        } else {
            append_page_beginning(out, what_);
        }
    }
    for (; at_ < what_.last() && out.size() < goal; ++at_) {
        const auto& entry = what_.holds->entries[at_];
        if (json) {
            if (at_ > what_.first()) out += ',';
            append_json_entry(out, entry);
        } else {
            append_page_entry(out, entry, what_.may_delete);
        }
    }
    if (at_ < what_.last()) return true;
    stage_ = stage::done;
    if (json) {
        append_json_end(out, what_);
    } else {
        append_page_end(out, what_);
    }
    return true;
}

std::uint64_t listing_writer::length(const listing& what, form how) {
    constexpr std::size_t piece = std::size_t{64} * 1024;
    listing_writer all{what, how};
    std::uint64_t bytes = 0;
    for (std::string text; all.next(text, piece); text.clear()) bytes += text.size();
    return bytes;
}

}  // namespace sluice::files
