// framed: reads messages from a connection or a console.
#pragma once

#include <cstddef>
#include <optional>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/pause.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::net {

/// Reads messages from `Source` (connection, console), cut by wire::frame_reader. Holds the bytes
/// of one read as long as there are messages in them. One reader.
template <class Source>
class framed {
 public:
    /// `max_message` in bytes. `source` outlives this.
    framed(Source& source, wire::framing mode, std::size_t max_message,
           wire::sender from = wire::sender::program) noexcept
        : source_{source}, reader_{mode, max_message, from} {}

    /// frame_reader::refuse_other_protocols(), whose faults are errors of next() and buffered().
    void refuse_other_protocols() noexcept { reader_.refuse_other_protocols(); }

    /// The next message, or none at the end of the stream. Valid until the next call.
    /// fault::message_too_long, after which there is no other message; the errors of recv(). A
    /// cancelled read loses nothing.
    [[nodiscard]] coro::task<result<std::optional<wire::message>>> next() noexcept {
        for (;;) {
            auto found = buffered();
            if (!found || *found || ended_) co_return found;
            auto read = co_await more();
            if (!read) co_return failure(read.error());
        }
    }

    /// The next message of the bytes that were read, or none: then call more(), unless the stream
    /// has ended(). Valid until the next call. fault::message_too_long as above.
    [[nodiscard]] result<std::optional<wire::message>> buffered() noexcept {
        return reader_.next();
    }
    /// Reads once. Only when buffered() gives none. The errors of recv(); a cancelled read loses
    /// nothing.
    [[nodiscard]] coro::task<result<void>> more() noexcept {
        release();
        const auto until = end_of_pause();
        if (until == io::never) co_return take(co_await source_.recv());
        co_return take(co_await io::with_deadline(source_.engine(), source_.recv(), until));
    }
    /// For a caller that reads the source itself: release() before the read and take() after it do
    /// the work of more() without its coroutine. The read needs no deadline unless awaits_pause();
    /// a read that times out then is such a pause.
    void release() noexcept {
        // An idle connection holds no buffer.
        chunk_ = {};
    }
    /// True if a pause would end the message whose first bytes have come.
    [[nodiscard]] bool awaits_pause() const noexcept {
        return reader_.awaited() != wire::pause::none;
    }
    /// Takes what a read gave, as described at release().
    [[nodiscard]] result<void> take(result<typename Source::chunk> got) noexcept {
        if (!got) {
            if (got.error() != fault::timed_out) return failure(got.error());
            reader_.end_pause();
        } else if (got->empty()) {
            ended_ = true;
            reader_.finish();
        } else {
            chunk_ = std::move(*got);
            reader_.feed(chunk_.text());
        }
        return {};
    }
    /// True if buffered() gives none for sure; false says nothing.
    [[nodiscard]] bool drained() const noexcept { return reader_.drained(); }
    /// True once the stream has ended: buffered() gives the rest.
    [[nodiscard]] bool ended() const noexcept { return ended_; }

    /// True if this peer expects a newline after each answer.
    [[nodiscard]] bool answers_terminated() const noexcept { return reader_.answers_terminated(); }

    /// wire::frame_reader::take_timing_mark().
    [[nodiscard]] bool take_timing_mark() noexcept { return reader_.take_timing_mark(); }

 private:
    [[nodiscard]] io::time_point end_of_pause() const noexcept {
        return net::end_of_pause(reader_.awaited(), socket_of(source_));
    }
    /// -1 for a console, which has no round trip.
    static int socket_of(Source& source) noexcept {
        if constexpr (requires { source.peer().fd(); }) return source.peer().fd();
        if constexpr (requires { source.fd(); }) return source.fd();
        return -1;
    }

    Source& source_;
    typename Source::chunk chunk_;
    wire::frame_reader reader_;
    bool ended_ = false;
};

}  // namespace sluice::net
