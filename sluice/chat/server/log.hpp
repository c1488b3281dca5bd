// Defines log: the append-only ring of a room's lines, with the author of each stretch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>

#include "sluice/base/growing_ring.hpp"
#include "sluice/os/mapping_allocator.hpp"
#include "sluice/os/mirrored_mapping.hpp"

namespace sluice::chat {

/// An offset in a log: bytes since its beginning, never reused.
using position = std::uint64_t;
/// The number of a member, from 1; never reused.
using member_id = std::uint64_t;

/// The member a line is from, and whether the line is an announcement about that member.
struct author {
    std::uint64_t value = 0;

    [[nodiscard]] static constexpr author speaking(member_id id) noexcept { return {id << 2}; }
    [[nodiscard]] static constexpr author announced(member_id id) noexcept {
        return {(id << 2) | 1};
    }
    /// The announcement that a new member has joined; members with a higher id may precede it.
    [[nodiscard]] static constexpr author arrived(member_id id) noexcept { return {(id << 2) | 3}; }
    [[nodiscard]] constexpr member_id who() const noexcept { return value >> 2; }
    [[nodiscard]] constexpr bool is_announcement() const noexcept { return (value & 1) != 0; }
    [[nodiscard]] constexpr bool is_arrival() const noexcept { return (value & 2) != 0; }
    /// Its own lines, and announcements that earlier members have joined.
    [[nodiscard]] constexpr bool hidden_from(member_id id) const noexcept {
        return who() == id || (is_arrival() && who() < id);
    }
    friend constexpr bool operator==(author, author) noexcept = default;
};

/// Keeps the last `window` bytes of lines, each ended by a newline. Written once, read by any
/// number of cursors. One thread.
class log {
 public:
    /// `window` in bytes, rounded up to whole pages. Memory grows with the lines written.
    explicit log(std::size_t window) noexcept;

    /// The start of the oldest line kept, and the end, where append() writes.
    [[nodiscard]] position begin() const noexcept { return begin_; }
    [[nodiscard]] position end() const noexcept { return end_; }
    [[nodiscard]] std::size_t window() const noexcept { return window_; }
    /// Memory for lines, in bytes.
    [[nodiscard]] std::size_t capacity() const noexcept { return data_ == nullptr ? 0 : size_; }

    /// Reserves memory for `length` more bytes; call before begin_after() and append(). If the
    /// window cannot be mapped, the log keeps less. Throws std::bad_alloc.
    void make_space(std::size_t length);

    /// The value of begin() after `length` more bytes are written.
    [[nodiscard]] position begin_after(std::size_t length) const noexcept;
    /// Writes one or several lines given in pieces, at most a window in total; the last piece ends
    /// in a newline. Drops the oldest lines as needed.
    void append(author from, std::initializer_list<std::string_view> pieces);

    /// The bytes between two positions in begin() to end(), contiguous.
    [[nodiscard]] std::string_view view(position from, position to) const noexcept {
        return {data_ + ((from - base_) % size_), static_cast<std::size_t>(to - from)};
    }
    /// True if a line starts at `p`.
    [[nodiscard]] bool starts_line(position p) const noexcept {
        return p == begin_ || *(data_ + ((p - 1 - base_) % size_)) == '\n';
    }
    /// The first line start at or after `p`.
    [[nodiscard]] position line_start_from(position p) const noexcept;

    /// The start and number of the last lines that are messages, announcements not counted:
    /// `wanted`, or as many as the last `within` bytes hold.
    struct tail {
        position from = 0;
        std::size_t lines = 0;
    };
    [[nodiscard]] tail last_words(std::size_t wanted, std::size_t within) const noexcept;

    /// Consecutive lines of one author.
    struct stretch {
        position from = 0;
        position to = 0;
        author by;
    };
    /// The stretch that contains `p`, which is in begin() to end().
    [[nodiscard]] stretch stretch_at(position p) const noexcept;
    /// The first stretch from `p` on for which `wanted(author)` is true, or an empty one at end().
    /// Linear in the stretches between.
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
    void move_to(char* target, std::size_t size) noexcept;
    [[nodiscard]] std::size_t segment_at(position p) const noexcept;
    [[nodiscard]] stretch stretch_of(std::size_t index) const noexcept;

    struct free_piece {
        std::size_t size;
        void operator()(char* piece) const noexcept {
            mapping_allocator<char>{}.deallocate(piece, size);
        }
    };
    using owned_piece = std::unique_ptr<char[], free_piece>;

    // A short log is one piece of memory, a longer one a ring of the whole window.
    owned_piece piece_;
    mirrored_mapping ring_;
    char* data_ = nullptr;
    std::size_t size_ = 1;  // of the memory at data_
    std::size_t window_;
    position base_ = 0;  // the position at data_
    growing_ring<segment, mapping_allocator<segment>> segments_;
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
