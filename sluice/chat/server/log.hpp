// What was said in a room: one append-only ring of lines, and who wrote which stretch of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>

#include "sluice/base/growing_ring.hpp"
#include "sluice/base/mirrored_mapping.hpp"

namespace sluice::chat {

/// A place in a log: bytes since its beginning, never reused.
using position = std::uint64_t;
/// The number of a member, from 1; never reused.
using member_id = std::uint64_t;

/// Who a line is from, and whether it is an announcement about that member rather than its words.
struct author {
    std::uint64_t value = 0;

    [[nodiscard]] static constexpr author speaking(member_id id) noexcept { return {id << 2}; }
    [[nodiscard]] static constexpr author announced(member_id id) noexcept {
        return {(id << 2) | 1};
    }
    /// The announcement that a newcomer has come, which may be late.
    [[nodiscard]] static constexpr author arrived(member_id id) noexcept { return {(id << 2) | 3}; }
    [[nodiscard]] constexpr member_id who() const noexcept { return value >> 2; }
    [[nodiscard]] constexpr bool is_announcement() const noexcept { return (value & 1) != 0; }
    [[nodiscard]] constexpr bool is_arrival() const noexcept { return (value & 2) != 0; }
    /// What a member has written itself, and that others came who were here before it.
    [[nodiscard]] constexpr bool hidden_from(member_id id) const noexcept {
        return who() == id || (is_arrival() && who() < id);
    }
    friend constexpr bool operator==(author, author) noexcept = default;
};

/// Lines, each ended by a newline, of which the last `window` bytes are kept. Written once, read by
/// any number of cursors. One thread.
class log {
 public:
    /// `window` in bytes, rounded up to whole pages. Memory grows with what is written.
    explicit log(std::size_t window) noexcept;

    /// The oldest line that is still whole, and where the next one goes.
    [[nodiscard]] position begin() const noexcept { return begin_; }
    [[nodiscard]] position end() const noexcept { return end_; }
    [[nodiscard]] std::size_t window() const noexcept { return window_; }
    /// Memory for lines, in bytes.
    [[nodiscard]] std::size_t capacity() const noexcept { return data_ == nullptr ? 0 : size_; }

    /// Makes room for `length` bytes more, before begin_after() and append(). Without memory for
    /// the whole window the log keeps less. Throws std::bad_alloc.
    void make_room(std::size_t length);

    /// What begin() will be once `length` bytes more are written.
    [[nodiscard]] position begin_after(std::size_t length) const noexcept;
    /// Writes one line, or several, from its pieces; together at most a window, the last piece ends
    /// in a newline. Drops as much of the oldest as it needs.
    void append(author from, std::initializer_list<std::string_view> pieces);

    /// The bytes between two places that are both still there, contiguous.
    [[nodiscard]] std::string_view view(position from, position to) const noexcept {
        return {data_ + ((from - base_) % size_), static_cast<std::size_t>(to - from)};
    }
    /// True where a line starts.
    [[nodiscard]] bool starts_line(position p) const noexcept {
        return p == begin_ || *(data_ + ((p - 1 - base_) % size_)) == '\n';
    }
    /// The first line start at or after `p`.
    [[nodiscard]] position line_start_from(position p) const noexcept;

    /// Where the last lines that are words of somebody begin, announcements not counted, and how
    /// many they are: `wanted`, or as many as there are in the last `within` bytes.
    struct tail {
        position from = 0;
        std::size_t lines = 0;
    };
    [[nodiscard]] tail last_words(std::size_t wanted, std::size_t within) const noexcept;

    /// What one author wrote without another in between.
    struct stretch {
        position from = 0;
        position to = 0;
        author by;
    };
    /// The stretch that holds `p`, from begin() on and before end().
    [[nodiscard]] stretch stretch_at(position p) const noexcept;
    /// The first stretch from `p` on that `wanted(author)` picks, or an empty one at end(). Looks
    /// at every stretch between.
    template <class Wanted>
    [[nodiscard]] stretch find_stretch(position p, Wanted wanted) const noexcept;
    /// Lines between two line starts that are not hidden from `id`.
    [[nodiscard]] std::size_t lines_by_others(member_id id, position from,
                                              position to) const noexcept;

 private:
    struct segment {
        position from = 0;
        author by;
    };

    [[nodiscard]] bool is_ring() const noexcept { return ring_.data() != nullptr; }
    void move_to(char* where, std::size_t size) noexcept;
    [[nodiscard]] std::size_t segment_at(position p) const noexcept;
    [[nodiscard]] stretch stretch_of(std::size_t index) const noexcept;

    // A short log lies in one piece of the heap, one that has grown in a ring of the whole window.
    std::unique_ptr<char[]> heap_;
    mirrored_mapping ring_;
    char* data_ = nullptr;
    std::size_t size_ = 1;  // of the memory at data_
    std::size_t window_;
    position base_ = 0;  // what lies, or lay, at data_
    growing_ring<segment> segments_;
    position begin_ = 0;
    position end_ = 0;
};

template <class Wanted>
log::stretch log::find_stretch(position p, Wanted wanted) const noexcept {
    if (p < end_) {
        for (std::size_t i = segment_at(p); i < segments_.size(); ++i) {
            if (wanted(segments_[i].by)) return stretch_of(i);
        }
    }
    return {.from = end_, .to = end_, .by = {}};
}

}  // namespace sluice::chat
