// Writes the response to an HTTP request into the output buffer of its connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/server/http_connection.hpp"
#include "sluice/files/server/reply_text.hpp"

namespace sluice::files {

/// A response is reply(), fields, end_head(), and its body: or one call where it is a sentence. It
/// is sent by http_connection::flush(), at the latest before the next wait for the client.
class response_writer {
 public:
    /// `of` outlives it.
    explicit response_writer(http_connection& of) noexcept : of_{of} {}

    /// Begins a response: its status, and the fields that every response has.
    reply_text& reply(unsigned status);
    /// Ends its head: Content-Length, and whether the connection is kept.
    void end_head(std::uint64_t length);
    /// The same for a response that has no body.
    void end_head();
    /// A response of one sentence. The connection is closed after it where the body of the request
    /// is not received completely.
    void refuse(unsigned status, std::string_view why);
    /// The same after reply() and fields of the caller.
    void end_with(std::string_view sentence);
    /// The response for an error of a file or a disk; counts it.
    void refuse_for(error why);
    /// The same where a change begins: EROFS is then of a disk that never was writable.
    void refuse_change(error why);
    /// The response to a body that did not come in time; counts it.
    void refuse_slow_body();
    /// Sends a body that is in memory, after its head.
    coro::task<void> send_body(std::string body);

 private:
    void add_allowed_page();

    http_connection& of_;
};

}  // namespace sluice::files
