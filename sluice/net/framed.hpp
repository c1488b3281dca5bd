// Messages over a connection, or over a console.
#pragma once

#include <cstddef>
#include <optional>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/pause.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::net {

/// Reads messages from `Source` (connection, console), cut by wire::frame_reader. Holds what one
/// read brought for as long as there are messages in it. One reader.
template <class Source>
class framed {
 public:
    /// `max_message` in bytes. `source` outlives this.
    framed(Source& source, wire::framing mode, std::size_t max_message,
           wire::sender from = wire::sender::program) noexcept
        : source_{source}, reader_{mode, max_message, from} {}

    /// The next message, or none at the end of the stream. Valid until the next call.
    /// fault::message_too_long, after which there is no other message; what recv() reports.
    /// A read that was cancelled loses nothing.
    [[nodiscard]] coro::task<result<std::optional<wire::message>>> next() noexcept {
        for (;;) {
            auto found = here();
            if (!found || *found || ended_) co_return found;
            auto read = co_await more();
            if (!read) co_return failure(read.error());
        }
    }

    /// The next message of what has been read, or none: then more() has to be asked, unless the
    /// stream has ended(). Valid until the next call. fault::message_too_long as above.
    [[nodiscard]] result<std::optional<wire::message>> here() noexcept { return reader_.next(); }
    /// Reads once. Only when nothing is here(). What recv() reports; when it was cancelled nothing
    /// is lost.
    [[nodiscard]] coro::task<result<void>> more() noexcept {
        let_go();
        const auto until = end_of_pause();
        if (until == io::never) co_return take(co_await source_.recv());
        co_return take(co_await io::with_deadline(source_.home(), source_.recv(), until));
    }
    /// For who reads the source himself: what more() does before and after, without the coroutine
    /// that it is. A read may wait as long as it likes unless a pause of the peer is awaited; one
    /// that timed out is then such a pause.
    void let_go() noexcept {
        // Drained: an idle connection holds no buffer.
        chunk_ = {};
    }
    [[nodiscard]] bool awaits_pause() const noexcept {
        return reader_.awaited() != wire::pause::none;
    }
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
    /// True if nothing more is here() for sure; false says nothing.
    [[nodiscard]] bool drained() const noexcept { return reader_.drained(); }
    /// True once the stream has ended: what is here() is all there will be.
    [[nodiscard]] bool ended() const noexcept { return ended_; }

    /// Whether this peer wants a newline after each answer.
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
