// Judges a server's response to an upload by PUT, and defines what both kinds of PUT share.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/coro/task.hpp"
#include "sluice/files/client/link.hpp"
#include "sluice/files/client/transfer_error.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/http/response.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::files {

/// Bytes. Smaller bodies are sent without Expect: a question takes as long.
inline constexpr std::uint64_t worth_asking = std::uint64_t{64} << 10;
/// RFC 9110, section 10.1.1: a server that does not support Expect waits for the body.
inline constexpr io::duration wait_for_continue = std::chrono::seconds{1};
inline constexpr std::string_view agent_field = "User-Agent: sluice\r\n";

/// The digest of the stored file, if the response has one that can be read.
[[nodiscard]] std::optional<http::sha256_value> digest_in(const http::http_response& head);

/// The error for a server that has other bytes than were sent; `why` says how that is known.
[[nodiscard]] transfer_error damaged(const std::string& why);

/// Whether the server has stored the file: a success (2xx), but neither "later" (202) nor a list of
/// several (207, RFC 4918, section 11.1).
[[nodiscard]] bool is_stored(unsigned status) noexcept;

/// The error for a response that refuses an upload; reads its body.
[[nodiscard]] coro::task<transfer_error> refusal(link& conn, http::http_response_reader& response);

}  // namespace sluice::files
