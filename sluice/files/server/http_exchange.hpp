// One connection of the HTTP door: requests in, answers out, one after another.
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
#include "sluice/files/server/http_door.hpp"
#include "sluice/files/server/http_room.hpp"
#include "sluice/files/server/reply_text.hpp"
#include "sluice/http/request.hpp"
#include "sluice/model/guest.hpp"

namespace sluice::files {

/// What those who answer a request are given: the request, and the ways to answer it. Small while
/// nothing is asked. Answers to requests that came together leave together.
class http_exchange {
 public:
    http_exchange(const http_exchange&) = delete;
    http_exchange& operator=(const http_exchange&) = delete;
    ~http_exchange() = default;

    /// Until the connection is of no more use, or draining has begun. The client is the `number`th.
    static coro::task<void> serve(http_door& door, model::guest& client, std::uint64_t number);

    [[nodiscard]] http_door& door() noexcept { return door_; }
    [[nodiscard]] store& files() noexcept { return door_.files(); }
    [[nodiscard]] model::guest& client() noexcept { return client_; }
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

    /// Moves while more is waited for: not to be referred to across such a wait, nor are its views.
    [[nodiscard]] const http::http_request& request() const noexcept {
        return stub_ != nullptr ? stub_->request : room_->request;
    }
    /// What is asked for, decoded, below the store: `dir/a b.txt`. A folder's has no slash at its
    /// end, and the store's own is empty.
    [[nodiscard]] std::string_view path() const noexcept {
        return stub_ != nullptr ? stub_->path : room_->path;
    }
    /// Whether it was asked for with a slash at its end.
    [[nodiscard]] bool names_folder() const noexcept { return names_folder_; }
    [[nodiscard]] std::string_view query() const noexcept { return query_; }

    // Answers.

    /// Begins an answer: its status, and the fields that every one has.
    reply_text& reply(unsigned status);
    /// Ends its head: how long the body is, and whether the connection is kept.
    void end_head(std::uint64_t length);
    /// The same where there is no body, nor may be one.
    void end_head();
    [[nodiscard]] reply_text& out() noexcept { return out_; }
    /// A sentence as the whole answer. Before the request's body has been received to its end, the
    /// connection is closed after it.
    void refuse(unsigned status, std::string_view why);
    /// The same behind fields of its own.
    void end_with(std::string_view sentence);
    /// The answer that fits what a file or a disk ran into; counts it.
    void refuse_for(error why);
    /// A body that stands in memory, behind its head.
    coro::task<void> send_body(std::string body);
    /// What was answered leaves; with `more` the last segment waits for what follows.
    coro::task<bool> flush(bool more = false);
    /// The connection is broken: nothing else is sent on it.
    void give_up() noexcept { lost_ = true; }
    /// This request is not answered, or not to its end. What was answered before still leaves, then
    /// the connection is closed.
    void hang_up() noexcept {
        keep_ = false;
        hung_up_ = true;
    }
    /// Nothing can be added to the answer any more.
    [[nodiscard]] bool lost() const noexcept { return lost_ || hung_up_; }

    // The request's body.

    /// What of it came with the head, or was read since and not taken.
    [[nodiscard]] std::string_view here() const noexcept {
        const char* const in = stub_ != nullptr ? stub_->in.get() : room_->in.data();
        return {in + begin_, in_ - begin_};
    }
    void take(std::size_t bytes) noexcept;
    /// Reads more behind it; what was answered leaves before that is waited for. 0 at the end of
    /// the stream; fault::timed_out where nothing came.
    coro::task<result<std::size_t>> read_more();
    /// The same without waiting: EAGAIN where nothing has come.
    [[nodiscard]] result<std::size_t> read_now() noexcept;
    /// Whether something of the body can be taken without waiting, or there is none.
    [[nodiscard]] bool body_is_here() const noexcept;
    /// Says that the body may come, if that was asked, and waits until something of it, or the end
    /// of the stream, can be read. Nothing is held meanwhile. fault::timed_out where nothing came.
    coro::task<result<void>> await_body();
    /// Gives the room back while the client is waited for. What was answered must have left, else
    /// nothing happens; until step_in() nothing can be answered.
    void step_out() noexcept;
    /// False without memory: the connection is of no more use then.
    [[nodiscard]] bool step_in() noexcept;
    /// Reads what comes behind the request, whenever that is: as read_more(), without a deadline.
    /// What request() gave before is not valid any more.
    coro::task<result<std::size_t>> read_ahead();
    /// Whether the client has ended its stream, or is gone, and nothing is left to be read. Does
    /// not wait.
    [[nodiscard]] bool has_ended() noexcept;
    /// All of it has been received: the connection may carry another request.
    void body_is_done() noexcept { body_done_ = true; }

 private:
    http_exchange(http_door& door, model::guest& client, std::uint64_t number) noexcept;

    [[nodiscard]] bool take_up(const result<std::size_t>& got);
    void make_way() noexcept;
    void move_views(const char* from, const char* to, http::http_request& r) noexcept;
    coro::task<result<std::size_t>> first_bytes(io::time_point until);
    coro::task<bool> read_head();
    coro::task<result<std::size_t>> recv(io::time_point until);
    coro::task<result<void>> await_bytes(io::time_point until);
    coro::task<void> answer();
    coro::task<void> answer_other(http::http_method method, bool settled);
    coro::task<bool> drop_small_body();
    coro::task<result<void>> drop_body(transfer::moved& told);
    coro::task<void> leave();
    [[nodiscard]] bool settle_path();
    [[nodiscard]] bool is_draining() const noexcept { return client_.patience().cancelled(); }
    [[nodiscard]] std::string_view methods() const noexcept;
    void refuse_head(const http::http_refusal& why);

    http_door& door_;
    model::guest& client_;
    std::uint64_t number_;
    lent_room room_;
    std::unique_ptr<http_stub> stub_;
    reply_text out_{{}};
    // In the room: the head up to head_, what nobody has taken from begin_ to in_.
    std::size_t head_ = 0;
    std::size_t begin_ = 0;
    std::size_t in_ = 0;
    std::string_view query_;
    bool names_folder_ = false;
    bool keep_ = false;
    bool lost_ = false;
    bool hung_up_ = false;
    bool body_done_ = true;
    // Most heads fit; what waits for one has no other memory.
    std::array<char, 96> first_;
};

/// Those who answer.
coro::task<void> answer_get(http_exchange& x);
coro::task<void> answer_put(http_exchange& x);
coro::task<void> answer_delete(http_exchange& x);

}  // namespace sluice::files
