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
#include "sluice/wire/telnet.hpp"

namespace sluice::wire {

/// How a stream of bytes is cut into messages.
enum class framing : std::uint8_t {
    automatic,  ///< at a newline, or at the pauses of a peer that has sent none yet
    line,       ///< at a newline
    raw,        ///< what one read brought is one message, with nothing added or removed
};

/// `auto`, `line` or `raw`, exactly so; anything else is none.
[[nodiscard]] std::optional<framing> framing_from_text(std::string_view text) noexcept;
/// The word that framing_from_text() takes.
[[nodiscard]] std::string_view to_text(framing mode) noexcept;

/// What may send the bytes, in `line` and `automatic`.
enum class sender : std::uint8_t {
    program,  ///< all bytes are content
    client,   ///< perhaps a telnet: its commands are skipped and its returns end lines
    person,   ///< the same, who perhaps sends keys as they are typed
};

/// What becomes of a stream with a message beyond the limit.
enum class overlong : std::uint8_t {
    fails,    ///< the boundaries are lost, and every next() repeats the error
    dropped,  ///< told once, as soon as it is known; the message after it is found
};

/// For how long a peer must be silent for `automatic` to take unterminated bytes for a message.
enum class pause : std::uint8_t {
    none,   ///< no pause ends a message
    first,  ///< first_pause and two round trips of the connection
    usual,  ///< usual_pause: several messages in a row were unterminated
    typed,  ///< typed_pause: a single character waits for its neighbours
};
/// Nagle's algorithm beside a delayed acknowledgement holds a newline back for 40 ms and a round
/// trip (RFC 896, tcp(7)).
inline constexpr std::chrono::milliseconds first_pause{50};
inline constexpr std::chrono::milliseconds usual_pause{20};
inline constexpr std::chrono::milliseconds typed_pause{1000};

/// One message, on loan.
struct message {
    std::string_view text;  ///< without the line's end; of any bytes, not necessarily UTF-8
    bool terminated;        ///< whether a newline ended it; never in `raw`
};

/// Cuts what arrives on one connection into messages. Does no I/O and knows no clock: the caller
/// tells it of chunks, pauses and the end, and after each takes messages from next() until there is
/// none.
///
///     reader.feed(chunk);                                  // or end_pause(), or finish()
///     while (auto found = reader.next()) {                 // false on an error
///         if (!*found) break;                              // nothing more: read again, and if
///         handle((*found)->text);                          // awaited() is some pause, for so long
///     }
///
/// What is a message:
/// - `line`: every newline ends one, also an empty one. One '\r' right before the newline goes with
///   it; every other '\r' is content. From a telnet, also '\r' '\0' and '\r' end one.
/// - `automatic`: the same, and from the first newline on nothing else. Before it, bytes that are
///   followed by a pause are a message, unterminated. If the next thing to come is a line end after
///   all, it belongs to that message, which was slow, and is no empty message.
///   Of a `person`, a single character, or half a character, waits for typed_pause; when another
///   one follows alone, keys are sent as they are typed, and only newlines and returns end
///   messages.
/// - `raw`: every chunk is one; an empty chunk is none.
/// - Where the stream ends, bytes without a newline are one in every mode.
/// The same bytes give the same messages however they are split into chunks, in `line` always and
/// in `automatic` where the pauses fall on the same bytes.
///
/// A line that lies within one chunk is handed out where it lies: no copy, no allocation. One that
/// straddles chunks, or comes from a telnet, is joined in a buffer of at most twice its length. A
/// reader with nothing stashed holds no memory but its own 56 bytes.
///
/// Not thread-safe. Movable: views of joined messages stay valid.
class frame_reader {
 public:
    /// `max_message`: the longest message accepted, in bytes, its line end not counted.
    frame_reader(framing mode, std::size_t max_message, sender from = sender::program,
                 overlong beyond = overlong::fails) noexcept
        : max_message_{max_message},
          mode_{mode},
          from_{from},
          beyond_{beyond},
          answers_terminated_{mode != framing::raw},
          ends_lines_{mode != framing::automatic} {}

    /// Lends `chunk`, one read's worth, until next() says that there is nothing more. The chunk
    /// before must be drained, and the stream not finished. Does nothing after an error.
    void feed(std::string_view chunk) noexcept;

    /// The next message, none if more bytes are needed, or an error: fault::message_too_long as
    /// soon as a message is known to be so, ENOMEM if one could not be joined. After an error the
    /// boundaries are lost, unless such messages are dropped: the reader keeps nothing and repeats
    /// the error for good.
    /// The message's text is valid until the next call of a function that is not const, and only as
    /// long as the chunk is.
    [[nodiscard]] result<std::optional<message>> next() noexcept;

    /// What of the chunk is still to be looked at; the reader goes on with `same`, a copy of it, so
    /// that the chunk may go. No text of a message may be in use.
    [[nodiscard]] std::string_view rest_of_chunk() const noexcept { return chunk_; }
    void move_rest_to(std::string_view same) noexcept { chunk_ = same; }

    /// The pause of the peer that would now be a reason for end_pause().
    [[nodiscard]] pause awaited() const noexcept;
    /// The peer was silent for as long as awaited() said: what waits is a message, which next()
    /// gives, or waits for a longer pause. Nothing if none is awaited. The chunk must be drained.
    void end_pause() noexcept;
    /// The peer sent its last byte: what waits is a message, which next() gives. The chunk must be
    /// drained; nothing may be fed after.
    void finish() noexcept;

    /// True if all that was fed has been looked at: what comes next may be fed.
    [[nodiscard]] bool drained() const noexcept { return chunk_.empty() && !cut_; }

    /// How this peer wants to be answered: in `line` with a newline, in `raw` without, in
    /// `automatic` with one, except after a message of its own that came without, until its first
    /// newline.
    [[nodiscard]] bool answers_terminated() const noexcept { return answers_terminated_; }
    /// True, once, if the peer is a telnet that asked for a timing_mark() since this was last
    /// called.
    [[nodiscard]] bool take_timing_mark() noexcept { return telnet_.take_timing_mark(); }
    [[nodiscard]] framing mode() const noexcept { return mode_; }
    /// Heap memory held, in bytes.
    [[nodiscard]] std::size_t held_bytes() const noexcept { return stash_.capacity(); }

 private:
    enum class trouble : std::uint8_t { none, too_long, no_memory };
    enum class hesitation : std::uint8_t {
        none,
        in_character,  // it paused within a character
        after_key,     // it paused after a single one, the first of its message
    };
    enum class fresh : std::uint8_t { nothing, character, text };
    using outcome = result<std::optional<message>>;

    outcome next_line() noexcept;
    outcome next_decoded() noexcept;
    outcome next_chunk() noexcept;
    outcome keep_rest() noexcept;
    outcome hand_out_rest() noexcept;
    outcome fail(trouble what) noexcept;
    void skip_to_line_end() noexcept;
    void end_skipping() noexcept;
    [[nodiscard]] trouble keep(std::string_view bytes) noexcept;
    std::optional<message> end_line(std::string_view text) noexcept;
    void forget_handed_out() noexcept;
    void learn_lines() noexcept;
    [[nodiscard]] bool hesitates() noexcept;
    void note_fresh(std::string_view bytes) noexcept;

    stash stash_;
    std::string_view chunk_;  // what of the chunk is still to be looked at
    std::size_t max_message_;
    framing mode_;
    sender from_;
    overlong beyond_;
    trouble trouble_ = trouble::none;
    telnet_decoder telnet_;
    // Small: an idle connection holds one of these.
    std::uint8_t unterminated_ : 2 = 0;  // messages in a row, up to `several`
    hesitation hesitation_ : 2 = hesitation::none;
    fresh fresh_ : 2 = fresh::nothing;  // what of the stash has come since the last pause
    bool answers_terminated_ : 1;
    bool ends_lines_ : 1;          // a newline has come, or must
    bool decodes_ : 1 = false;     // the chunk is for telnet_ to look at
    bool handed_out_ : 1 = false;  // the stash holds a message that the caller has seen
    bool cut_ : 1 = false;         // the stash holds a message that ends here
    bool returned_ : 1 = false;    // by a return
    bool late_end_ : 1 = false;    // a line end now would belong to the message before
    bool skipping_ : 1 = false;    // a message is dropped: the stash holds its last byte alone
    bool finished_ : 1 = false;
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
