// Implements reply_parser: which lines of a program are answers, in each step of a question.
#include "sluice/compute/server/reply_parser.hpp"

#include <algorithm>

#include "sluice/base/check.hpp"

namespace sluice::compute {

void reply_parser::begin(std::string_view text) {
    check(step_ == step::idle, "a program is asked one question at a time");
    step_ = step::begun;
    line_ = text;
    copied_ = 0;
}

void reply_parser::ask() {
    check(step_ == step::begun, "a question is ended that was not begun");
    step_ = step::asked;
    line_.resize(copied_.value_or(0));
    unasked_bytes_ -= line_.size();
}

void reply_parser::feed(std::string_view bytes) {
    if (step_ == step::asked) {
        const auto end = bytes.find('\n');
        line_ += bytes.substr(0, std::min(end, max_line_ + 2));
        if (end == std::string_view::npos) {
            too_long_ = line_.size() > max_line_ + 1;
            return;
        }
        if (line_.ends_with('\r')) line_.pop_back();
        too_long_ = line_.size() > max_line_;
        step_ = step::answered;
        bytes.remove_prefix(end + 1);
    }
    feed_unasked(bytes);
}

std::string reply_parser::take_answer() {
    check(answered(), "an answer is taken before its end was read");
    step_ = step::idle;
    unasked_bytes_ = 0;
    return std::exchange(line_, {});
}

void reply_parser::feed_unasked(std::string_view bytes) {
    unasked_bytes_ += bytes.size();
    if (const auto end = bytes.rfind('\n'); end != std::string_view::npos) {
        unasked_lines_ += static_cast<std::uint64_t>(std::ranges::count(bytes, '\n'));
        bytes.remove_prefix(end + 1);
        copied_ = 0;
    }
    if (step_ != step::begun || !copied_) return;
    if (std::string_view{line_}.substr(*copied_).starts_with(bytes)) {
        *copied_ += bytes.size();
    } else {
        copied_.reset();
    }
}

}  // namespace sluice::compute
