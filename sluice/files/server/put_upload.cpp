// Implements what the steps of an upload share: its id, whether it waits for a digest, refusals.
#include "sluice/files/server/put_upload.hpp"

#include <fmt/format.h>

#include "sluice/base/relaxed.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::files {

const put_upload::rare_fields& put_upload::fields() const noexcept {
    static const rare_fields none;
    return fields_ ? *fields_ : none;
}

put_upload::rare_fields& put_upload::mutable_fields() {
    if (!fields_) fields_ = std::make_unique<rare_fields>();
    return *fields_;
}

std::string put_upload::key() const {
    return short_hash_of(fmt::format("{}\n{}\n{}", path(), *range()->total,
                                     promised() ? http::to_hex(*promised()) : "-"));
}

bool put_upload::waits_for_digest(std::uint64_t size) const noexcept {
    // Up to here a response that waits for no disk waits for a digest that was not requested.
    constexpr std::uint64_t quick_digest = std::uint64_t{64} << 20;
    return promised() || (content() && !range()) || x_.files().syncs() || options().digest_always ||
           size <= quick_digest || wants_digest().value_or(false);
}

std::optional<bool> put_upload::wants_digest() const noexcept {
    return http::wants_sha256(request().field(http::http_field::want_repr_digest));
}

bool put_upload::refuse(unsigned status, std::string_view why) {
    x_.response().refuse(status, why);
    return false;
}

bool put_upload::refuse_too_large() {
    counting().too_large.fetch_add(1, relaxed);
    return refuse(413,
                  fmt::format("a file has at most {} here", wire::format_size(options().max_size)));
}

reply_text& put_upload::reply_arrived(unsigned status, std::uint64_t bytes) {
    auto& to = x_.response().reply(status);
    return bytes > 0 ? to.field("Range", http::format_arrived(bytes)) : to;
}

}  // namespace sluice::files
