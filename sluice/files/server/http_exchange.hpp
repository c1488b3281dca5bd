// One HTTP connection of the file service: reads requests and writes responses in order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/server/http_buffers.hpp"
#include "sluice/files/server/http_service.hpp"
#include "sluice/files/server/reply_text.hpp"
#include "sluice/http/request.hpp"
#include "sluice/model/session.hpp"

namespace sluice::files {

/// A request and the functions to respond to it, for the handlers of the methods. Small while the
/// connection is idle. Responses to pipelined requests are sent together.
class http_exchange {
 public:
    http_exchange(const http_exchange&) = delete;
    http_exchange& operator=(const http_exchange&) = delete;
    ~http_exchange() = default;

    /// Serves until the connection ends or draining begins. `number` is the number of the client.
    static coro::task<void> serve(http_service& service, model::session& client,
                                  std::uint64_t number);

    [[nodiscard]] http_service& service() noexcept { return service_; }
    [[nodiscard]] store& files() noexcept { return service_.files(); }
    [[nodiscard]] model::session& client() noexcept { return client_; }
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

    /// Moves while more input is awaited: no reference or view is valid across such a wait.
    [[nodiscard]] const http::http_request& request() const noexcept {
        return stub_ != nullptr ? stub_->request : buffers_->request;
    }
    /// The requested path, decoded, below the store: `dir/a b.txt`. That of a directory has no
    /// trailing slash, and that of the store is empty.
    [[nodiscard]] std::string_view path() const noexcept {
        return stub_ != nullptr ? stub_->path : buffers_->path;
    }
    /// Whether the requested path ends in a slash.
    [[nodiscard]] bool names_folder() const noexcept { return names_folder_; }
    [[nodiscard]] std::string_view query() const noexcept { return query_; }

    // Responses.

    /// Begins a response: its status, and the fields that every response has.
    reply_text& reply(unsigned status);
    /// Ends its head: Content-Length, and whether the connection is kept.
    void end_head(std::uint64_t length);
    /// The same for a response that has no body.
    void end_head();
    [[nodiscard]] reply_text& out() noexcept { return out_; }
    /// A response of one sentence. The connection is closed after it where the body of the request
    /// is not received completely.
    void refuse(unsigned status, std::string_view why);
    /// The same after reply() and fields of the caller.
    void end_with(std::string_view sentence);
    /// The response for an error of a file or a disk; counts it.
    void refuse_for(error why);
    /// Sends a body that is in memory, after its head.
    coro::task<void> send_body(std::string body);
    /// Sends the buffered output; with `more` the last segment waits for more (send(2), MSG_MORE).
    coro::task<bool> flush(bool more = false);
    /// The connection is broken: nothing else is sent on it.
    void give_up() noexcept { lost_ = true; }
    /// This request gets no response, or a part of one. Earlier responses are still sent, then the
    /// connection is closed.
    void hang_up() noexcept {
        keep_alive_ = false;
        hung_up_ = true;
    }
    /// Nothing can be added to the response any more.
    [[nodiscard]] bool lost() const noexcept { return lost_ || hung_up_; }

    // The request's body.

    /// Bytes of the body that are received and not consumed.
    [[nodiscard]] std::string_view buffered() const noexcept {
        const char* const in = stub_ != nullptr ? stub_->in.get() : buffers_->in.data();
        return {in + begin_, in_ - begin_};
    }
    void take(std::size_t bytes) noexcept;
    /// Receives more of them; sends the buffered output before a wait. 0 at the end of the stream;
    /// fault::timed_out where no byte arrived.
    coro::task<result<std::size_t>> read_more();
    /// The same without waiting: EAGAIN where no byte has arrived.
    [[nodiscard]] result<std::size_t> read_now() noexcept;
    /// Whether bytes of the body can be taken without waiting, or it has no more.
    [[nodiscard]] bool body_is_here() const noexcept;
    /// Sends 100 (Continue) if the client expects it, and waits until bytes of the body, or the end
    /// of the stream, can be read, without buffers. fault::timed_out where no byte arrived.
    coro::task<result<void>> await_body();
    /// Returns the buffers during a wait for the client, unless output is buffered. No response can
    /// be written until step_in().
    void step_out() noexcept;
    /// Leases buffers again. False without memory: the connection is of no more use then.
    [[nodiscard]] bool step_in() noexcept;
    /// Receives bytes after the request: as read_more(), without a deadline. Earlier results of
    /// request() are invalid after it.
    coro::task<result<std::size_t>> read_ahead();
    /// Whether the client has ended its stream or is gone, and no bytes are left to read. Does not
    /// wait.
    [[nodiscard]] bool has_ended() noexcept;
    /// The body is received: the connection may carry another request.
    void body_is_done() noexcept { body_done_ = true; }

 private:
    http_exchange(http_service& service, model::session& client, std::uint64_t number) noexcept;

    [[nodiscard]] bool accept_first(const result<std::size_t>& got);
    void compact() noexcept;
    void move_views(const char* from, const char* to, http::http_request& r) noexcept;
    coro::task<result<std::size_t>> first_bytes(io::time_point until);
    coro::task<bool> read_head();
    coro::task<result<std::size_t>> recv(io::time_point until);
    coro::task<result<void>> await_bytes(io::time_point until);
    coro::task<void> answer();
    coro::task<void> answer_other(http::http_method method, bool settled);
    coro::task<bool> drop_small_body();
    coro::task<result<void>> drop_body(transfer::moved& counter);
    coro::task<void> flush_and_close();
    [[nodiscard]] bool parse_path();
    [[nodiscard]] bool is_draining() const noexcept { return client_.drain_context().cancelled(); }
    [[nodiscard]] std::string_view methods() const noexcept;
    void refuse_head(const http::http_refusal& why);

    http_service& service_;
    model::session& client_;
    std::uint64_t number_;
    lent_room buffers_;
    std::unique_ptr<http_stub> stub_;
    reply_text out_{{}};
    // Offsets in the input buffer: the head ends at head_, unconsumed bytes are from begin_ to in_.
    std::size_t head_ = 0;
    std::size_t begin_ = 0;
    std::size_t in_ = 0;
    std::string_view query_;
    bool names_folder_ = false;
    bool keep_alive_ = false;
    bool lost_ = false;
    bool hung_up_ = false;
    bool body_done_ = true;
    // Input of an idle connection, which has no other memory; most heads fit.
    std::array<char, 96> first_;
};

/// Handlers of the methods.
coro::task<void> answer_get(http_exchange& x);
coro::task<void> answer_put(http_exchange& x);
coro::task<void> answer_delete(http_exchange& x);

}  // namespace sluice::files
