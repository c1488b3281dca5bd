// Listings of directories with names of any bytes: JSON and a page, the same in pieces of any size.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/files/server/listing.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::listing_target {
namespace {

using form = files::listing_writer::form;

/// The entries of an input: up to a slash each, the first byte of each for its kind and size.
files::folder_contents contents_of(std::string_view text) {
    files::folder_contents made;
    while (!text.empty()) {
        const auto kind = fuzz::take_byte(text);
        const auto end = std::min(text.find('/'), text.size());
        const auto name = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (name.empty() || name.find('\0') != std::string_view::npos) continue;
        made.entries.push_back({.name = std::string{name},
                                .directory = (kind & 1U) != 0,
                                .size = (kind & 1U) != 0 ? 0U : std::uint64_t{1} << (kind >> 2U),
                                .modified = std::chrono::sys_seconds{std::chrono::hours{kind}}});
    }
    files::put_in_order(made);
    return made;
}

std::string written(const files::listing& what, form how, std::size_t piece) {
    files::listing_writer writer{what, how};
    std::string out;
    while (writer.next(out, piece)) continue;
    return out;
}

}  // namespace

/// The first byte says how long the pieces are and what a client may do, the second how many names
/// were left out; then the entries.
void examine(std::string_view text) {
    const auto first = take_byte(text);
    const auto left_out = take_byte(text);
    auto contents = contents_of(text);
    contents.unlisted = left_out & 15U;
    contents.omitted = left_out >> 4U;
    const files::listing what{
        .path = "/d/",
        .holds = std::make_shared<const files::folder_contents>(std::move(contents)),
        .page = first & 1U,
        .may_upload = (first & 2U) != 0,
        .may_delete = (first & 4U) != 0};
    for (const auto how : {form::json, form::page}) {
        const auto whole = written(what, how, SIZE_MAX);
        check(written(what, how, 1U + (first >> 3U)) == whole, "pieces change a listing");
        check(files::listing_writer::length(what, how) == whole.size(), "a length that is wrong");
        check(wire::is_valid_utf8(whole), "a listing that is no text");
        if (how == form::page) continue;
        const auto read = nlohmann::json::parse(whole, nullptr, false);
        check(read.is_object() && read.at("entries").size() == what.holds->entries.size(),
              "a listing that is no JSON, or has other entries");
    }
}

}  // namespace sluice::fuzz::listing_target
