// Splits a byte stream into messages (line, raw, automatic), and frames messages to send.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/wire/protocol_guess.hpp"
#include "sluice/wire/stash.hpp"
#include "sluice/wire/telnet.hpp"

namespace sluice::wire {

/// How a byte stream is split into messages.
enum class framing : std::uint8_t {
    automatic,  ///< at a newline, or at a pause of a peer that has sent no newline yet
    line,       ///< at a newline
    raw,        ///< each read is a message; nothing is added or removed
};

/// Parses `auto`, `line` or `raw`; none for any other text.
[[nodiscard]] std::optional<framing> framing_from_text(std::string_view text) noexcept;
/// The word that framing_from_text() takes.
[[nodiscard]] std::string_view to_text(framing mode) noexcept;

/// The kind of peer, in `line` and `automatic`.
enum class sender : std::uint8_t {
    program,  ///< all bytes are content
    client,   ///< maybe a telnet: its commands are skipped, and its CRs end lines
    person,   ///< the same, and keys may be sent as they are typed
};

/// How a reader handles a message beyond the limit.
enum class overlong : std::uint8_t {
    fails,    ///< the boundaries are lost, and every next() repeats the error
    dropped,  ///< reported once, as early as possible; the next message is found
};

/// How long a peer must be silent before `automatic` takes unterminated bytes as a message.
enum class pause : std::uint8_t {
    none,   ///< no pause ends a message
    first,  ///< first_pause and two round trips of the connection
    usual,  ///< usual_pause: several messages in a row were unterminated
    typed,  ///< typed_pause: a single character waits for more
};
/// Nagle's algorithm with a delayed acknowledgement holds a newline back for 40 ms and a round trip
/// (RFC 896, tcp(7)).
inline constexpr std::chrono::milliseconds first_pause{50};
inline constexpr std::chrono::milliseconds usual_pause{20};
inline constexpr std::chrono::milliseconds typed_pause{1000};

/// A message; frame_reader::next() says how long it is valid.
struct message {
    std::string_view text;  ///< without its line end; any bytes, not necessarily UTF-8
    bool terminated;        ///< whether a newline ended it; false in `raw`
};

/// Splits the bytes of a connection into messages. No I/O and no clock: the caller reports chunks,
/// pauses and the end, and after each takes messages from next() until there is none.
///
///     reader.feed(chunk);                                  // or end_pause(), or finish()
///     while (auto found = reader.next()) {                 // false on an error
///         if (!*found) break;                              // no more: read again, and wait only
///         handle((*found)->text);                          // as long as awaited() says
///     }
///
/// Message boundaries:
/// - `line`: every newline ends a message, also an empty one. A '\r' right before the newline
///   belongs to it; any other '\r' is content. From a telnet, '\r' '\0' and '\r' end a message too.
/// - `automatic`: as `line` from the first newline on. Before it, bytes followed by a pause are an
///   unterminated message. If a line end comes next, it is the late end of that message and not an
///   empty message. From a `person`, a single character or half a character waits for typed_pause;
///   when another single one follows, keys are sent as they are typed, and only newlines and CRs
///   end messages.
/// - `raw`: every chunk is a message; an empty chunk is none.
/// - At the end of the stream, bytes without a newline are a message in every mode.
///
/// The same bytes give the same messages however they are split into chunks, in `line` always and
/// in `automatic` where the pauses fall on the same bytes.
///
/// A line within one chunk is returned in place: no copy, no allocation. A line that straddles
/// chunks, or comes from a telnet, is joined in a buffer of at most twice its length. A reader with
/// an empty stash holds only its own 56 bytes.
///
/// Not thread-safe. Movable: views of joined messages stay valid.
class frame_reader {
 public:
    /// `max_message`: the longest message accepted, in bytes, without its line end; below 4 GiB.
    frame_reader(framing mode, std::size_t max_message, sender from = sender::program,
                 overlong beyond = overlong::fails) noexcept
        : max_message_{static_cast<std::uint32_t>(
              std::min<std::size_t>(max_message, std::numeric_limits<std::uint32_t>::max()))},
          mode_{mode},
          from_{from},
          beyond_{beyond},
          answers_terminated_{mode != framing::raw},
          ends_lines_{mode != framing::automatic} {}

    /// For a server, before the first chunk: a connection that begins as HTTP or TLS does gives no
    /// message, only fault::http_spoken or fault::tls_spoken, for good.
    void refuse_other_protocols() noexcept { guesses_ = true; }

    /// Takes a view of `chunk`, the bytes of one read, until next() returns none. The previous
    /// chunk must be drained, and the stream not finished. Does nothing after an error.
    void feed(std::string_view chunk) noexcept;

    /// The next message; none if more bytes are needed. fault::message_too_long as soon as a
    /// message exceeds the limit; ENOMEM if it could not be joined. After an error the boundaries
    /// are lost, unless overlong messages are dropped: the reader keeps nothing and repeats the
    /// error for good. The text is valid until the next call of a function that is not const, and
    /// only as long as the chunk is.
    [[nodiscard]] result<std::optional<message>> next() noexcept;

    /// The part of the chunk that next() has not read; the reader continues with `same`, a copy of
    /// it, so that the chunk may be freed. No message's text may be in use.
    [[nodiscard]] std::string_view rest_of_chunk() const noexcept { return chunk_; }
    void move_rest_to(std::string_view same) noexcept { chunk_ = same; }

    /// The pause of the peer after which the caller calls end_pause().
    [[nodiscard]] pause awaited() const noexcept;
    /// The peer was silent for as long as awaited() said: next() returns the stashed bytes as a
    /// message, or awaited() names a longer pause. Does nothing if no pause is awaited. The chunk
    /// must be drained.
    void end_pause() noexcept;
    /// The peer sent its last byte: next() returns the stashed bytes as a message. The chunk must
    /// be drained; feed() must not follow.
    void finish() noexcept;

    /// True if next() has read the chunk and returned its messages: the next chunk may be fed.
    [[nodiscard]] bool drained() const noexcept { return chunk_.empty() && !cut_; }

    /// Whether answers to this peer end in a newline: yes in `line`, no in `raw`; in `automatic`
    /// yes, except after an unterminated message, until the peer's first newline.
    [[nodiscard]] bool answers_terminated() const noexcept { return answers_terminated_; }
    /// True if the peer is a telnet that has asked for a timing_mark() since the last call.
    [[nodiscard]] bool take_timing_mark() noexcept { return telnet_.take_timing_mark(); }
    [[nodiscard]] framing mode() const noexcept { return mode_; }
    /// Heap memory held, in bytes.
    [[nodiscard]] std::size_t held_bytes() const noexcept { return stash_.capacity(); }

 private:
    enum class framing_error : std::uint8_t { none, too_long, no_memory, http, tls };
    enum class wait_reason : std::uint8_t {
        none,
        in_character,  // the peer paused within a character
        after_key,     // the peer paused after a single character, the first of its message
    };
    enum class fresh : std::uint8_t { nothing, character, text };
    using outcome = result<std::optional<message>>;

    outcome next_line() noexcept;
    outcome next_decoded() noexcept;
    outcome next_chunk() noexcept;
    outcome stash_rest() noexcept;
    outcome hand_out_rest() noexcept;
    outcome fail(framing_error what) noexcept;
    void skip_to_line_end() noexcept;
    void end_skipping() noexcept;
    [[nodiscard]] framing_error stash_partial(std::string_view bytes) noexcept;
    std::optional<message> end_line(std::string_view text) noexcept;
    void forget_handed_out() noexcept;
    void learn_lines() noexcept;
    [[nodiscard]] bool waits_longer() noexcept;
    void track_fresh(std::string_view bytes) noexcept;

    stash stash_;
    std::string_view chunk_;  // not read yet
    std::uint32_t max_message_;
    protocol_guess guess_;
    framing mode_;
    sender from_;
    overlong beyond_;
    framing_error error_ = framing_error::none;
    telnet_decoder telnet_;
    // Bit fields: every idle connection holds a reader.
    std::uint8_t unterminated_ : 2 = 0;  // messages in a row, up to `several`
    wait_reason wait_reason_ : 2 = wait_reason::none;
    fresh fresh_ : 2 = fresh::nothing;  // arrived since the last pause
    bool answers_terminated_ : 1;
    bool ends_lines_ : 1;          // a newline has come, or the mode requires it
    bool decodes_ : 1 = false;     // the chunk goes through telnet_
    bool handed_out_ : 1 = false;  // the stash holds a message that next() has returned
    bool cut_ : 1 = false;         // the stash holds a complete message
    bool returned_ : 1 = false;    // a CR ends the message in the stash
    bool late_end_ : 1 = false;    // a line end that comes next belongs to the previous message
    bool skipping_ : 1 = false;  // a message is being dropped: the stash holds its last byte alone
    bool finished_ : 1 = false;
    bool guesses_ : 1 = false;  // guess_ is asked
};

/// The bytes after a message's text on the wire: a newline, or none. For callers that send the two
/// without copying; the text must be one line if `terminated`.
[[nodiscard]] constexpr std::string_view message_end(bool terminated) noexcept {
    return terminated ? "\n" : "";
}

/// Whether `text`, sent terminated, arrives as one message and unchanged: it has no newline and
/// does not end in a '\r', which the reader would take as part of the line end.
[[nodiscard]] bool is_one_line(std::string_view text) noexcept;

/// Appends a message in wire form. A terminated message stays one line: every newline inside, with
/// a '\r' before it, becomes a space, so that a peer cannot forge a line of another peer. Callers
/// that mean separate lines send them one by one. Unterminated text is appended as it is.
void append_framed(std::string& out, std::string_view text, bool terminated);

}  // namespace sluice::wire
