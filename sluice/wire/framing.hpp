// Where one message ends and the next begins: bytes of a stream into messages, and back.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/wire/stash.hpp"

namespace sluice::wire {

/// How a stream of bytes is cut into messages.
enum class framing : std::uint8_t {
    automatic,  ///< at a newline, or where the peer pauses after bytes without one
    line,       ///< at a newline
    raw,        ///< what one read brought is one message, with nothing added or removed
};

/// `auto`, `line` or `raw`, exactly so; anything else is none.
[[nodiscard]] std::optional<framing> framing_from_text(std::string_view text) noexcept;
/// The word that framing_from_text() takes.
[[nodiscard]] std::string_view to_text(framing mode) noexcept;

/// How long a peer must be silent after bytes without a newline for `automatic` to take them for
/// a message.
inline constexpr std::chrono::milliseconds auto_pause{20};

/// One message, on loan.
struct message {
    std::string_view text;  ///< without the line's end; of any bytes, not necessarily UTF-8
    bool terminated;        ///< whether a newline ended it; never in `raw`
};

/// Cuts what arrives on one connection into messages. Does no I/O and knows no clock: whoever reads
/// tells it of chunks, pauses and the end, and after each takes messages from next() until there is
/// none.
///
///     reader.feed(chunk);                                  // or pause(), or finish()
///     while (auto found = reader.next()) {                 // false on an error
///         if (!*found) break;                              // nothing more: read again, and
///         handle((*found)->text);                          // if awaits_pause(), for auto_pause
///     }
///
/// What is a message:
/// - `line` and `automatic`: every newline ends one, also an empty one. One '\r' right before the
///   newline goes with it; every other '\r' is content.
/// - `automatic`: bytes without a newline are one when pause() is told. If the next thing to come
///   is a line end after all ("\n" or "\r\n"), it belongs to that message, which was slow, and is
///   no empty message.
/// - `raw`: every chunk is one; an empty chunk is none.
/// - Where the stream ends, bytes without a newline are one in every mode.
/// The same bytes give the same messages however they are split into chunks, in `line` always and
/// in `automatic` where the pauses fall on the same bytes.
///
/// A line that lies within one chunk is handed out where it lies: no copy, no allocation. One that
/// straddles chunks is joined in a buffer of at most twice its length. A reader with nothing
/// stashed holds no memory but its own 56 bytes.
///
/// Not thread-safe. Movable: views of joined messages stay valid.
class frame_reader {
 public:
    /// `max_message`: the longest message accepted, in bytes, its line end not counted.
    frame_reader(framing mode, std::size_t max_message) noexcept
        : max_message_{max_message}, mode_{mode}, answers_terminated_{mode != framing::raw} {}

    /// Lends `chunk`, one read's worth, until next() says that there is nothing more. The chunk
    /// before must be drained, and the stream not finished. Does nothing after an error.
    void feed(std::string_view chunk) noexcept;

    /// The next message, none if more bytes are needed, or an error: fault::message_too_long as
    /// soon as a message is known to be so, ENOMEM if one could not be joined. After an error the
    /// boundaries are lost: the reader keeps nothing and repeats the error for good.
    /// The message's text is valid until the next call of a function that is not const, and only as
    /// long as the chunk is.
    [[nodiscard]] result<std::optional<message>> next() noexcept;

    /// True if a pause of the peer would now complete a message: `automatic`, and bytes without a
    /// newline are waiting.
    [[nodiscard]] bool awaits_pause() const noexcept;
    /// The peer was silent for auto_pause: what waits is a message, which next() gives. Nothing if
    /// none waits. The chunk must be drained.
    void pause() noexcept;
    /// The peer sent its last byte: what waits is a message, which next() gives. The chunk must be
    /// drained; nothing may be fed after.
    void finish() noexcept;

    /// True if all that was fed has been looked at: what comes next may be fed.
    [[nodiscard]] bool drained() const noexcept { return chunk_.empty() && !cut_; }

    /// How this peer wants to be answered: in `line` with a newline, in `raw` without, in
    /// `automatic` with one until a message of its own came without.
    [[nodiscard]] bool answers_terminated() const noexcept { return answers_terminated_; }
    [[nodiscard]] framing mode() const noexcept { return mode_; }
    /// Heap memory held, in bytes.
    [[nodiscard]] std::size_t held_bytes() const noexcept { return stash_.capacity(); }

 private:
    enum class trouble : std::uint8_t { none, too_long, no_memory };
    using outcome = result<std::optional<message>>;

    outcome next_line() noexcept;
    outcome next_chunk() noexcept;
    outcome keep_rest() noexcept;
    outcome hand_out_rest() noexcept;
    outcome fail(trouble what) noexcept;
    void forget_handed_out() noexcept;

    stash stash_;
    std::string_view chunk_;  // what of the chunk is still to be looked at
    std::size_t max_message_;
    framing mode_;
    bool answers_terminated_;
    bool handed_out_ = false;  // the stash holds a message that the caller has seen
    bool cut_ = false;         // the stash holds a message that ends here, unterminated
    bool late_end_ = false;    // a line end now would belong to the message before
    bool finished_ = false;
    trouble trouble_ = trouble::none;
};

/// What follows a message's text on the wire: a newline, or nothing. For whoever sends the two
/// without copying them together; the text must be one line if `terminated`.
[[nodiscard]] constexpr std::string_view message_end(bool terminated) noexcept {
    return terminated ? "\n" : "";
}

/// Whether `text`, sent terminated, is read as one message and exactly as it is: it holds no
/// newline, and does not end in a '\r', which the reader would take for a part of the line's end.
[[nodiscard]] bool is_one_line(std::string_view text) noexcept;

/// Appends one message as it goes over the wire. A message stays one message: in a terminated one,
/// every newline inside, with a '\r' before it if there is one, becomes a space, so that nobody can
/// write a line in somebody else's name. Send the lines one by one if they are meant as lines.
/// Unterminated text is appended as it is.
void append_framed(std::string& out, std::string_view text, bool terminated);

}  // namespace sluice::wire
