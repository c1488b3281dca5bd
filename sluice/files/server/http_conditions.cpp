// Implements conditional requests: compares entity tags and dates.
#include "sluice/files/server/http_conditions.hpp"

#include <algorithm>
#include <array>

#include "sluice/http/date.hpp"
#include "sluice/http/entity_tag.hpp"
#include "sluice/os/clock.hpp"

namespace sluice::files {
namespace {

using http::http_field;

bool has_conditions(const http::http_request& request) noexcept {
    return request.has(http_field::if_match) || request.has(http_field::if_none_match) ||
           request.has(http_field::if_modified_since) ||
           request.has(http_field::if_unmodified_since);
}

std::chrono::sys_seconds time_of(const struct stat& file) noexcept {
    return std::chrono::sys_seconds{std::chrono::seconds{file.st_mtim.tv_sec}};
}

}  // namespace

condition judge_conditions(const http::http_request& request, const validators* there,
                           bool is_read) {
    const auto lists = [&request, there](http_field which, auto compare) {
        return std::ranges::any_of(request.fields, [&](const auto& each) {
            return each.first == which && there != nullptr && compare(each.second, there->tag);
        });
    };
    // A field without a date is ignored; a change within the same second is not seen.
    const auto changed_since = [&request, there](http_field which) -> std::optional<bool> {
        const auto date = http::parse_http_date(request.field(which));
        if (!date || there == nullptr || !there->modified) return std::nullopt;
        return *there->modified > *date;
    };
    if (request.has(http_field::if_match)) {
        if (!lists(http_field::if_match, http::lists_strongly)) return condition::failed;
    } else if (request.has(http_field::if_unmodified_since)) {
        if (there == nullptr || changed_since(http_field::if_unmodified_since).value_or(false)) {
            return condition::failed;
        }
    }
    if (request.has(http_field::if_none_match)) {
        if (lists(http_field::if_none_match, http::lists_weakly)) {
            return is_read ? condition::not_modified : condition::failed;
        }
    } else if (is_read && request.has(http_field::if_modified_since)) {
        if (!changed_since(http_field::if_modified_since).value_or(true)) {
            return condition::not_modified;
        }
    }
    return condition::holds;
}

condition judge_conditions(const http::http_request& request, const struct stat* there,
                           bool is_read) {
    if (!has_conditions(request)) return condition::holds;
    if (there == nullptr)
        return judge_conditions(request, static_cast<validators*>(nullptr), is_read);
    const validators known{.tag = entity_tag_of(*there), .modified = time_of(*there)};
    return judge_conditions(request, &known, is_read);
}

void add_entity_tag(reply_text& to, const struct stat& file) noexcept {
    constexpr std::uint64_t billion = 1'000'000'000;
    to.add("\"")
        .add_hex(file.st_ino)
        .add("-")
        .add_hex(static_cast<std::uint64_t>(file.st_size))
        .add("-")
        .add_hex((static_cast<std::uint64_t>(file.st_mtim.tv_sec) * billion) +
                 static_cast<std::uint64_t>(file.st_mtim.tv_nsec))
        .add("\"");
}

std::string entity_tag_of(const struct stat& file) {
    std::array<char, 64> buffer{};
    reply_text text{buffer};
    add_entity_tag(text, file);
    return std::string{text.text()};
}

std::chrono::sys_seconds last_modified(const struct stat& file) noexcept {
    return std::min(time_of(file), wall_clock());
}

std::chrono::sys_seconds wall_clock() noexcept {
    return std::chrono::floor<std::chrono::seconds>(os::wall_clock_now());
}

}  // namespace sluice::files
