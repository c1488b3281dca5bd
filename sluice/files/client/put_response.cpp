// Implements the judgement of responses to an upload by PUT.
#include "sluice/files/client/put_response.hpp"

#include "sluice/wire/text.hpp"

namespace sluice::files {

std::optional<http::sha256_value> digest_in(const http::http_response& head) {
    const auto field = head.field("repr-digest");
    if (!field) return std::nullopt;
    const auto parsed = http::parse_repr_digest(*field);
    return parsed ? *parsed : std::nullopt;
}

transfer_error damaged(const std::string& why) {
    return {.kind = transfer_error_kind::corrupted,
            .what = "what arrived is not what was sent: " + why +
                    "; if the file was not written to meanwhile, look for bad memory or disks"};
}

bool is_stored(unsigned status) noexcept {
    return status / 100 == 2 && status != 202 && status != 207;
}

coro::task<transfer_error> refusal(link& conn, http::http_response_reader& response) {
    const unsigned status = response.head().status;
    std::string elsewhere;
    if (const auto where = response.head().field("location"); where && status / 100 == 3) {
        elsewhere = *where;
    }
    auto why = co_await why_refused(conn, response);
    if (status == 422) co_return damaged("the server says " + why);
    if (!elsewhere.empty()) {
        co_return transfer_error{.kind = transfer_error_kind::failed,
                                 .what = "the server sends us elsewhere; put it at " +
                                         wire::printable(wire::truncate_utf8(elsewhere, 200))};
    }
    co_return transfer_error{.kind = transfer_error_kind::failed,
                             .what = "the server refused it: " + why,
                             .may_pass = may_pass(status)};
}

}  // namespace sluice::files
