// What a child program prints, under any bytes and any split: the same answers, and none of a
// question that was not asked yet.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/compute/server/reply_parser.hpp"

namespace sluice::fuzz::child_output_target {
namespace {

using sluice::check;
using sluice::compute::reply_parser;

constexpr std::size_t max_line = 64;

/// What came of all steps.
struct outcome {
    std::vector<std::string> answers;
    std::uint64_t unasked = 0;
    bool too_long = false;
};

/// Each step is bytes up to a NUL. They are printed, in turn, before a question, while its text is
/// read, and after its newline. The question's text is the step's first bytes.
outcome run(const std::vector<std::string_view>& steps, std::string_view lengths) {
    reply_parser p{max_line};
    outcome all;
    for (std::size_t i = 0; i < steps.size() && !all.too_long; ++i) {
        if (i % 3 == 1) p.begin(steps[i].substr(0, 4));
        if (i % 3 == 2) p.ask();
        pieces printed{{.bytes = steps[i], .lengths = lengths}};
        for (auto piece = printed.next(); !piece.empty(); piece = printed.next()) {
            p.feed(piece);
            check(!p.answered() || i % 3 == 2, "an answer to nothing");
            if (p.too_long()) break;
        }
        all.too_long = p.too_long();
        if (i % 3 == 2 && !all.too_long) {
            if (!p.answered()) p.feed("\n");
            all.too_long = p.too_long();
            if (!all.too_long) {
                all.answers.push_back(p.take_answer());
                check(all.answers.back().size() <= max_line, "an answer over the limit");
                check(all.answers.back().find('\n') == std::string::npos, "an answer of lines");
            }
        }
        all.unasked += p.take_unasked_lines();
    }
    return all;
}

}  // namespace

void examine(std::string_view input) {
    const auto printed = stream::of(input);
    std::string_view rest = printed.bytes;
    std::vector<std::string_view> steps;
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\0'), rest.size());
        steps.push_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    const auto whole = run(steps, {});
    const auto cut = run(steps, printed.lengths);
    // Where a line is too long, what was fed before that depends on the split.
    check(cut.answers == whole.answers && cut.too_long == whole.too_long,
          "a split changes an answer");
    check(whole.too_long || cut.unasked == whole.unasked, "a split changes what was unasked");
}

}  // namespace sluice::fuzz::child_output_target
