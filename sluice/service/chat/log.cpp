// Appends to the ring, and finds lines and stretches in it.
#include "sluice/service/chat/log.hpp"

#include <algorithm>
#include <utility>

#include "sluice/base/check.hpp"

namespace sluice::service::chat {
namespace {

/// Where the last `wanted` lines of `text` begin, and how many they are; `text` ends in a newline.
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

result<log> log::create(std::size_t window) {
    auto ring = mirrored_mapping::create(window);
    if (!ring) return failure(ring.error());
    return log{std::move(*ring)};
}

position log::begin_after(std::size_t length) const noexcept {
    check(length <= window(), "a line is longer than the window of its log");
    if (end_ + length - begin_ <= window()) return begin_;
    return line_start_from(end_ + length - window());
}

void log::append(author from, std::initializer_list<std::string_view> pieces) {
    std::size_t length = 0;
    for (const auto piece : pieces) length += piece.size();
    begin_ = begin_after(length);
    while (segments_.size() > 1 && segments_[1].from <= begin_) segments_.pop_front();
    if (end_ == begin_) segments_.clear();
    if (segments_.empty() || segments_.back().by != from) {
        segments_.push_back({.from = end_, .by = from});
    }
    char* at = ring_.data() + (end_ % ring_.size());
    for (const auto piece : pieces) at = std::copy(piece.begin(), piece.end(), at);
    end_ += length;
}

position log::line_start_from(position p) const noexcept {
    if (p <= begin_) return begin_;
    // From the byte before: where a line ends right there, `p` itself is a start.
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
        if (s.by.who() != id) {
            const auto bytes = view(from, until);
            lines += static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
        }
        from = until;
    }
    return lines;
}

}  // namespace sluice::service::chat
