// One HTTP connection of the file service: leased buffers, reading, buffered output, and its end.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/server/http_buffers.hpp"
#include "sluice/files/server/http_service.hpp"
#include "sluice/files/server/reply_text.hpp"
#include "sluice/http/request.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/session.hpp"

namespace sluice::files {

/// Small while it is idle: buffers are leased when a request begins, and given back while the
/// client is awaited. Base of http_exchange.
class http_connection {
 public:
    http_connection(const http_connection&) = delete;
    http_connection& operator=(const http_connection&) = delete;

    [[nodiscard]] http_service& service() noexcept { return service_; }
    [[nodiscard]] store& files() noexcept { return service_.files(); }
    [[nodiscard]] model::session& client() noexcept { return client_; }
    [[nodiscard]] io::engine& engine() noexcept { return client_.engine(); }
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

    // The request.

    /// Moves while more input is awaited: no reference or view is valid across such a wait.
    [[nodiscard]] const http::http_request& request() const noexcept {
        return stub_ != nullptr ? stub_->request : buffers_->request;
    }
    /// The requested path, decoded, below the store: `dir/a b.txt`. That of a directory has no
    /// trailing slash, and that of the store is empty.
    [[nodiscard]] std::string_view path() const noexcept {
        return stub_ != nullptr ? stub_->path : buffers_->path;
    }
    /// What the access log is told of it.
    [[nodiscard]] told_request& told() noexcept {
        if (stub_ != nullptr) return stub_->told ? *stub_->told : unread_told();
        return buffers_ != nullptr ? buffers_->told : unread_told();
    }
    /// Whether the requested path ends in a slash.
    [[nodiscard]] bool names_folder() const noexcept { return names_folder_; }
    /// What follows the first question mark of the target, still encoded.
    [[nodiscard]] std::string_view query() const noexcept;

    /// Whether this may be done by the client to the file of this path, or all in that directory.
    /// In the middle of a request; any thread.
    [[nodiscard]] bool allows(operation what, std::string_view path) const noexcept;

    // Input.

    /// Bytes after the head that are received and not consumed.
    [[nodiscard]] std::string_view buffered() const noexcept {
        return {input() + begin_, in_ - begin_};
    }
    void take(std::size_t bytes) noexcept;
    /// Receives more bytes; sends the buffered output before a wait. 0 at the end of the stream;
    /// fault::timed_out where none arrived.
    coro::task<result<std::size_t>> read_more(io::time_point until);
    /// The same without waiting: EAGAIN where no byte has arrived.
    [[nodiscard]] result<std::size_t> read_now() noexcept;
    /// Sends the buffered output, and waits until bytes, or the end of the stream, can be read,
    /// without buffers. fault::timed_out where none arrived.
    coro::task<result<void>> await_bytes(io::time_point until);
    /// Whether the client has ended its stream or is gone, and no bytes are left to read. Does not
    /// wait.
    [[nodiscard]] bool has_ended() noexcept;

    // Buffers.

    /// Returns the buffers during a wait for the client, unless output is buffered. No response can
    /// be written until step_in().
    void step_out() noexcept;
    /// Leases buffers again. False without memory: the connection is of no more use then.
    [[nodiscard]] bool step_in() noexcept;

    // Output.

    [[nodiscard]] reply_text& out() noexcept { return out_; }
    /// Sends the buffered output; with `more` the last segment waits for more (send(2), MSG_MORE).
    coro::task<bool> flush(bool more = false);

    // The end of the request, and of the connection.

    /// The body of the request is received: the connection may carry another one.
    void end_body() noexcept { body_done_ = true; }
    [[nodiscard]] bool has_whole_body() const noexcept { return body_done_; }
    /// Decides at the end of a response's head whether the connection carries another request.
    [[nodiscard]] bool decide_to_keep() noexcept;
    /// The connection is broken: nothing else is sent on it.
    void give_up() noexcept { lost_ = true; }
    /// This request gets no response, or a part of one. Earlier responses are still sent, then the
    /// connection is closed.
    void hang_up() noexcept {
        keep_alive_ = false;
        hung_up_ = true;
    }
    /// The status of the response, for the counters.
    void set_status(unsigned status) noexcept { status_ = static_cast<std::uint16_t>(status); }
    /// Nothing can be added to the response any more.
    [[nodiscard]] bool lost() const noexcept { return lost_ || hung_up_; }

 protected:
    http_connection(http_service& service, model::session& client, std::uint64_t number) noexcept;
    ~http_connection() = default;

    [[nodiscard]] bool is_draining() const noexcept { return client_.drain_context().cancelled(); }
    /// For a request that is on its way when the server begins to drain. A client that has just
    /// connected loses it otherwise; one whose connection was kept can ask again.
    [[nodiscard]] io::duration last_call() const noexcept {
        return std::chrono::milliseconds{was_asked_ ? 250 : 1000};
    }
    /// True once, where draining has ended the wait for a request.
    [[nodiscard]] bool begins_last_call(error why) noexcept {
        return why == fault::cancelled && is_draining() && !std::exchange(had_last_call_, true);
    }
    /// Whether no byte of the next request is here.
    [[nodiscard]] bool is_idle() const noexcept { return in_ == 0; }
    /// Gives back the buffers between two requests; the output is sent.
    void return_buffers() noexcept { buffers_.reset(); }
    /// Awaits the first bytes of a request in the memory of this object; accept_first() takes the
    /// result, and leases buffers. False where no request begins.
    coro::task<result<std::size_t>> first_bytes(io::time_point until);
    [[nodiscard]] bool accept_first(const result<std::size_t>& got);

    /// Forgets the request before, of this client or another (http_buffers). All input is of the
    /// next.
    void begin_head() noexcept;
    /// The request to fill, while its head is parsed.
    [[nodiscard]] http::http_request& request_to_fill() noexcept { return buffers_->request; }
    /// The bytes of the head; before end_head_at(), all that has come of it.
    [[nodiscard]] std::string_view head() const noexcept {
        return {input(), head_ > 0 ? head_ : in_};
    }
    /// Neither bytes nor buffers are left, for lack of memory.
    [[nodiscard]] bool has_no_buffers() const noexcept {
        return stub_ == nullptr && buffers_ == nullptr;
    }
    /// The head has so many bytes; what follows it is the body.
    void end_head_at(std::size_t bytes) noexcept {
        head_ = begin_ = static_cast<offset>(bytes);
        begun_ = io::clock::now();
    }
    /// As path() and names_folder() return them.
    void set_path(std::string decoded, bool names_folder) noexcept;
    /// Where the head is no request, the end of the body is unknown, so the connection ends.
    void lose_body() noexcept {
        body_done_ = false;
        begun_ = io::clock::now();
    }
    /// Takes from the parsed head whether the connection may be kept, and whether a body follows.
    void begin_answer() noexcept;

    /// When the head of the request was whole, or known to be none.
    [[nodiscard]] io::time_point begun() const noexcept { return begun_; }
    /// Of the response to the last request; 0 if it got none.
    [[nodiscard]] unsigned status() const noexcept { return status_; }
    /// Whether another request may be read.
    [[nodiscard]] bool goes_on() const noexcept { return !lost_ && keep_alive_; }
    /// Moves the input that follows this request to the front.
    void compact() noexcept;
    /// The client is this visitor, until the next request begins.
    void set_visitor(std::shared_ptr<const visitor> v) noexcept {
        buffers_->visitor = std::move(v);
    }
    [[nodiscard]] const visitor* who() const noexcept {
        if (stub_ != nullptr) return stub_->visitor.get();
        return buffers_ != nullptr ? buffers_->visitor.get() : nullptr;
    }

    /// Sends what is buffered, unless the connection is broken, and closes it.
    coro::task<void> flush_and_close();

 private:
    [[nodiscard]] const char* input() const noexcept {
        return stub_ != nullptr ? stub_->in.get() : buffers_->in.data();
    }
    /// For what is told of a request without an access log, or of a connection that is lost without
    /// memory for buffers: it goes nowhere.
    [[nodiscard]] static told_request& unread_told() noexcept;

    using offset = std::uint32_t;

    http_service& service_;
    model::session& client_;
    std::uint64_t number_;
    leased_buffers buffers_;
    std::unique_ptr<http_stub> stub_;
    reply_text out_{{}};
    io::time_point begun_;
    // Offsets in the input buffer: the head ends at head_, unconsumed bytes are from begin_ to in_.
    offset head_ = 0;
    offset begin_ = 0;
    offset in_ = 0;
    std::uint16_t status_ = 0;
    bool names_folder_ = false;
    bool keep_alive_ = false;
    bool lost_ = false;
    bool hung_up_ = false;
    bool body_done_ = true;
    bool had_last_call_ = false;
    bool was_asked_ = false;
    // Input of an idle connection, which has no other memory; most heads fit.
    std::array<char, 96> first_;
};

}  // namespace sluice::files
