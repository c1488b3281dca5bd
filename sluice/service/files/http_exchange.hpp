// One connection of the HTTP door: requests in, answers out, one after another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/model/guest.hpp"
#include "sluice/service/files/http_door.hpp"
#include "sluice/service/files/http_room.hpp"
#include "sluice/service/files/reply_text.hpp"
#include "sluice/wire/http_request.hpp"

namespace sluice::service::files {

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

    [[nodiscard]] const wire::http_request& request() const noexcept { return room_->request; }
    /// What is asked for, decoded, below the store: `dir/a b.txt`. A folder's has no slash at its
    /// end, and the store's own is empty.
    [[nodiscard]] std::string_view path() const noexcept { return room_->path; }
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
    /// The connection is of no more use: nothing else is answered on it.
    void give_up() noexcept { lost_ = true; }
    [[nodiscard]] bool lost() const noexcept { return lost_; }

    // The request's body.

    /// What of it came with the head, or was read since and not taken.
    [[nodiscard]] std::string_view here() const noexcept {
        return {room_->in.data() + begin_, in_ - begin_};
    }
    void take(std::size_t bytes) noexcept;
    /// Reads more behind it. 0 at the end of the stream; fault::timed_out where nothing came.
    coro::task<result<std::size_t>> read_more();
    /// Says that the body may come, if that was asked and it has not come already.
    coro::task<bool> invite_body();
    /// All of it has been received: the connection may carry another request.
    void body_is_done() noexcept { body_done_ = true; }

 private:
    http_exchange(http_door& door, model::guest& client, std::uint64_t number) noexcept;

    [[nodiscard]] bool take_up(const result<std::size_t>& got);
    void make_way() noexcept;
    coro::task<result<std::size_t>> first_bytes(io::time_point until);
    coro::task<bool> read_head();
    coro::task<result<std::size_t>> recv(io::time_point until);
    coro::task<void> answer();
    coro::task<void> drop_small_body();
    coro::task<void> leave();
    coro::task<void> drop_the_rest();
    [[nodiscard]] bool settle_path();
    [[nodiscard]] bool is_draining() const noexcept { return client_.patience().cancelled(); }
    [[nodiscard]] std::string_view methods() const noexcept;
    void refuse_head(const wire::http_refusal& why);

    http_door& door_;
    model::guest& client_;
    std::uint64_t number_;
    lent_room room_;
    reply_text out_{{}};
    // In the room: the head up to head_, what nobody has taken from begin_ to in_.
    std::size_t head_ = 0;
    std::size_t begin_ = 0;
    std::size_t in_ = 0;
    std::string_view query_;
    bool names_folder_ = false;
    bool keep_ = false;
    bool lost_ = false;
    bool body_done_ = true;
    // Most heads fit; what waits for one has no other memory.
    std::array<char, 96> first_;
};

/// Those who answer.
coro::task<void> answer_get(http_exchange& x);
coro::task<void> answer_put(http_exchange& x);
coro::task<void> answer_delete(http_exchange& x);

/// Whether the request's conditions let it go on (RFC 9110, section 13.2.2); `there` is what has
/// the name, nullptr if nothing has.
enum class condition : std::uint8_t { holds, not_modified, failed };
[[nodiscard]] condition judge_conditions(const wire::http_request& request,
                                         const struct stat* there, bool is_read);
/// `"INODE-SIZE-TIME"`: another file, or the same one changed, has another.
void add_entity_tag(reply_text& to, const struct stat& file) noexcept;
[[nodiscard]] std::string entity_tag_of(const struct stat& file);

}  // namespace sluice::service::files
