// Implements log: appending, growth from a piece to a ring, lookup of lines and stretches.
#include "sluice/chat/server/log.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "sluice/base/check.hpp"

namespace sluice::chat {
namespace {

// In bytes. Most rooms are small and short-lived; a mapping costs whole pages, of ours and of the
// kernel.
constexpr std::size_t min_capacity = 64;
constexpr std::size_t max_piece = std::size_t{16} << 10;

/// The offset of the last `wanted` lines of `text`, which ends in a newline, and their number.
std::pair<std::size_t, std::size_t> last_lines(std::string_view text, std::size_t wanted) noexcept {
    std::size_t lines = 0;
    std::size_t from = text.size();
    while (lines < wanted && from > 0) {
        const auto before = from < 2 ? std::string_view::npos : text.rfind('\n', from - 2);
        from = before == std::string_view::npos ? 0 : before + 1;
        ++lines;
    }
    return {from, lines};
}

}  // namespace

log::log(std::size_t window) noexcept {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    window_ = (window + page - 1) / page * page;
}

void log::make_space(std::size_t length) {
    check(length <= window_, "a line is longer than the window of its log");
    if (is_ring() || end_ + length - base_ <= capacity()) return;
    const std::size_t wanted = std::max(min_capacity, std::bit_ceil(end_ - begin_ + length));
    if (wanted > std::min(max_piece, window_)) {
        if (auto ring = mirrored_mapping::create(window_)) {
            move_to(ring->data(), ring->size());
            ring_ = std::move(*ring);
            piece_.reset();
            return;
        }
    }
    const std::size_t size = std::min(wanted, window_);
    if (size <= capacity()) return;
    owned_piece larger{mapping_allocator<char>{}.allocate(size), free_piece{size}};
    move_to(larger.get(), size);
    piece_ = std::move(larger);
}

void log::move_to(char* target, std::size_t size) noexcept {
    const auto kept = view(begin_, end_);
    std::copy(kept.begin(), kept.end(), target);
    data_ = target;
    size_ = size;
    base_ = begin_;
}

position log::begin_after(std::size_t length) const noexcept {
    // A piece does not wrap: when it is full, all lines are dropped.
    if (!is_ring()) return end_ + length - base_ <= size_ ? begin_ : end_;
    if (end_ + length - begin_ <= size_) return begin_;
    return line_start_from(end_ + length - size_);
}

void log::append(author from, std::initializer_list<std::string_view> pieces) {
    std::size_t length = 0;
    for (const auto piece : pieces) length += piece.size();
    make_space(length);
    segments_.reserve_one();
    begin_ = begin_after(length);
    if (!is_ring() && begin_ == end_) base_ = end_;
    while (segments_.size() > 1 && segments_[1].from <= begin_) segments_.pop_front();
    if (end_ == begin_) segments_.clear();
    if (segments_.empty() || segments_.back().by != from) {
        segments_.push_back({.from = end_, .by = from});
    }
    char* at = data_ + ((end_ - base_) % size_);
    for (const auto piece : pieces) at = std::copy(piece.begin(), piece.end(), at);
    end_ += length;
}

position log::line_start_from(position p) const noexcept {
    if (p <= begin_) return begin_;
    // From the byte before: if it ends a line, `p` is a line start.
    const std::string_view rest = view(p - 1, end_);
    const auto at = rest.find('\n');
    return at == std::string_view::npos ? end_ : p + at;
}

log::tail log::last_words(std::size_t wanted, std::size_t within) const noexcept {
    const position first = line_start_from(end_ - std::min<position>(within, end_));
    tail found{.from = end_};
    for (std::size_t i = segments_.size(); i > 0 && found.lines < wanted; --i) {
        const stretch s = stretch_of(i - 1);
        if (s.to <= first) break;
        if (s.by.is_announcement()) continue;
        const position start = std::max(s.from, first);
        const auto [from, lines] = last_lines(view(start, s.to), wanted - found.lines);
        found = {.from = start + from, .lines = found.lines + lines};
    }
    return found;
}

std::size_t log::segment_at(position p) const noexcept {
    std::size_t low = 0;
    std::size_t high = segments_.size();
    while (high - low > 1) {
        const std::size_t middle = low + ((high - low) / 2);
        (segments_[middle].from <= p ? low : high) = middle;
    }
    return low;
}

log::stretch log::stretch_of(std::size_t index) const noexcept {
    return {.from = std::max(segments_[index].from, begin_),
            .to = index + 1 < segments_.size() ? segments_[index + 1].from : end_,
            .by = segments_[index].by};
}

log::stretch log::stretch_at(position p) const noexcept {
    return stretch_of(segment_at(p));
}

std::size_t log::lines_by_others(member_id id, position from, position to) const noexcept {
    std::size_t lines = 0;
    while (from < to) {
        const stretch s = stretch_at(from);
        const position until = std::min(s.to, to);
        if (!s.by.hidden_from(id)) {
            const auto bytes = view(from, until);
            lines += static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
        }
        from = until;
    }
    return lines;
}

}  // namespace sluice::chat
