// Implements the first step of an upload: the fields of its head, its target, its conditions.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>

#include "sluice/base/planted_bug.hpp"
#include "sluice/base/relaxed.hpp"
#include "sluice/files/server/http_conditions.hpp"
#include "sluice/files/server/put_upload.hpp"
#include "sluice/http/content_type.hpp"
#include "sluice/http/text.hpp"

namespace sluice::files {
namespace {

using http::http_field;

using digest_field = std::expected<std::optional<http::sha256_value>, std::string_view>;

/// The SHA-256 in the fields of one name, the last one if there are several.
digest_field digest_from(const http::http_request& r, http_field which) {
    std::optional<http::sha256_value> found;
    for (const auto& [name, value] : r.fields) {
        if (name != which) continue;
        const auto digest = http::parse_repr_digest(value);
        if (!digest) return std::unexpected{digest.error()};
        if (*digest) found = *digest;
    }
    return found;
}

}  // namespace

bool put_upload::check_request() {
    return check_head() && check_target();
}

/// Checks the fields of the head; false if it was refused.
bool put_upload::check_head() {
    const auto& r = request();
    if (x_.names_folder()) return refuse(409, "a file's path does not end in a slash");
    if (!check_type()) return false;
    const auto whole = digest_from(r, http_field::repr_digest);
    if (!whole) return refuse(400, fmt::format("Repr-Digest: {}", whole.error()));
    const auto content = digest_from(r, http_field::content_digest);
    if (!content) return refuse(400, fmt::format("Content-Digest: {}", content.error()));
    if (*whole) mutable_fields().promised = *whole;
    if (*content) mutable_fields().content = *content;
    if (r.has(http_field::content_range)) {
        mutable_fields().range = http::parse_content_range(r.field(http_field::content_range));
        if (!range() || !range()->total) {
            return refuse(400, "Content-Range says bytes FIRST-LAST/TOTAL, or bytes */TOTAL");
        }
        if (!range()->part) return true;
        if (!r.length) return refuse(411, "a part of an upload has a Content-Length");
        if (*r.length != range()->part->length) {
            return refuse(400, "Content-Length and Content-Range tell different lengths");
        }
    } else if (!r.length && !r.chunked) {
        return refuse(411, "an upload has a Content-Length, or comes in chunks");
    }
    constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
    if (total().value_or(0) > std::min(options().max_size.get(), largest))
        return refuse_too_large();
    return true;
}

/// Refuses an encoding or a type that could not be kept: a later GET would report it wrongly.
bool put_upload::check_type() {
    const auto& r = request();
    for (const auto& [name, value] : r.fields) {
        if (name != http_field::content_encoding || value.empty()) continue;
        if (http::same_word(value, "identity")) continue;
        x_.response().reply(415).field("Accept-Encoding", "identity");
        x_.response().end_with("files are kept as they are: send it without a Content-Encoding");
        return false;
    }
    const auto type = r.field(http_field::content_type);
    if (!type.empty() && !http::is_media_type(type)) {
        return refuse(400, "Content-Type is TYPE/SUBTYPE and its parameters, 255 bytes at most");
    }
    return true;
}

/// Checks the file of this name and the conditions; false if they were refused.
bool put_upload::check_target() {
    const auto there = x_.files().status_of(path());
    if (!there) {
        const error why = there.error();
        if (why.is(ENOTDIR)) return refuse(409, "a file is in the way of a directory");
        if (!why.is(ENOENT)) {
            x_.response().refuse_for(why);
            return false;
        }
    } else if (S_ISDIR(there->st_mode)) {
        return refuse(409, "a directory has this name");
    } else if (!S_ISREG(there->st_mode)) {
        return refuse(409, "something that is no file has this name");
    }
    const struct stat* found = there ? &*there : nullptr;
    const bool may_replace = x_.allows(operation::overwrite, path());
    if (found != nullptr && !may_replace) {
        counting().forbidden.fetch_add(1, relaxed);
        return refuse(403,
                      "a file of this name is here already, and none may be replaced; start "
                      "the server with --allow overwrite");
    }
    if (judge_conditions(request(), found, false) != condition::holds) {
        return refuse(412, "the file is not in the state that was asked for");
    }
    if (request().has(http_field::if_match) || request().has(http_field::if_unmodified_since) ||
        request().has(http_field::if_none_match)) {
        recheck_on_commit(found);
    } else if (!may_replace) {
        mutable_fields().rule.holds = [](const struct stat* now) { return now == nullptr; };
    }
    return true;
}

/// Evaluates the conditions again when the file gets its name.
void put_upload::recheck_on_commit(const struct stat* found) {
    // A date does not distinguish two states within its second.
    std::optional<file_state> known;
    if (found != nullptr && request().has(http_field::if_unmodified_since)) {
        known = file_state::of(*found);
    }
    mutable_fields().rule.holds = [this, known](const struct stat* there) {
        if (planted(bug::files_condition_not_rechecked)) return true;
        if (there != nullptr && !x_.allows(operation::overwrite, path())) return false;
        if (known && (there == nullptr || file_state::of(*there) != *known)) return false;
        return judge_conditions(request(), there, false) == condition::holds;
    };
}

}  // namespace sluice::files
