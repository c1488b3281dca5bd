// Messages over a connection, or over a console.
#pragma once

#include <cstddef>
#include <optional>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::net {

/// Reads messages from `Source` (connection, console), cut by wire::frame_reader. Holds what one
/// read brought for as long as there are messages in it. One reader.
template <class Source>
class framed {
 public:
    /// `max_message` in bytes. `source` outlives this.
    framed(Source& source, wire::framing mode, std::size_t max_message) noexcept
        : source_{source}, reader_{mode, max_message} {}

    /// The next message, or none at the end of the stream. Valid until the next call.
    /// fault::message_too_long, after which there is no other message; what recv() reports.
    /// A read that was cancelled loses nothing.
    [[nodiscard]] coro::task<result<std::optional<wire::message>>> next() noexcept {
        for (;;) {
            auto found = reader_.next();
            if (!found || *found || ended_) co_return found;
            // Drained: an idle connection holds no buffer.
            chunk_ = {};
            result<typename Source::chunk> got;
            if (reader_.awaits_pause()) {
                got = co_await io::with_timeout(source_.home(), source_.recv(), wire::auto_pause);
            } else {
                got = co_await source_.recv();
            }
            if (!got) {
                if (got.error() != fault::timed_out) co_return failure(got.error());
                reader_.pause();
            } else if (got->empty()) {
                ended_ = true;
                reader_.finish();
            } else {
                chunk_ = std::move(*got);
                reader_.feed(chunk_.text());
            }
        }
    }

    /// Whether this peer wants a newline after each answer.
    [[nodiscard]] bool answers_terminated() const noexcept { return reader_.answers_terminated(); }

 private:
    Source& source_;
    typename Source::chunk chunk_;
    wire::frame_reader reader_;
    bool ended_ = false;
};

}  // namespace sluice::net
