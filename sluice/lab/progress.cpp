// Implements lab::progress: a bar on stderr, or a line per round without a terminal.
#include "sluice/lab/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

std::string in_words(double seconds) {
    const auto whole = static_cast<long>(std::max(0.0, seconds));
    if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    return fmt::format("{} s", whole);
}

}  // namespace

progress::progress(std::size_t cases, clock::time_point end, sink write, std::size_t fewest,
                   std::size_t most)
    : cases_{cases},
      fewest_{fewest},
      most_{most},
      end_{end},
      write_{std::move(write)},
      line_{write_} {}

double progress::share() const {
    const double by_time = std::chrono::duration<double>(clock::now() - begun_) /
                           std::chrono::duration<double>(end_ - begun_);
    return std::clamp(std::max(by_time, by_rounds_), 0.0, 1.0);
}

/// Empty while less than 2 % is done: too early for an estimate.
std::string progress::time_left() const {
    constexpr double enough = 0.02;
    const double done = share();
    if (done < enough) return {};
    const double spent = std::chrono::duration<double>(clock::now() - begun_).count();
    return fmt::format(", about {} left", in_words(spent / done * (1 - done)));
}

/// "round 3 of 5 to 25": a case ends early when its figures are precise.
std::string progress::rounds() const {
    if (fewest_ == most_) return fmt::format("round {} of {}", round_, most_);
    return fmt::format("round {} of {} to {}", round_, fewest_, most_);
}

void progress::begin_round(std::size_t number, double done) {
    by_rounds_ = done;
    if (number <= round_) return;
    round_ = number;
    if (line_.can_draw() || !write_) return;
    write_(fmt::format("{}, {} case{}{}\n", rounds(), cases_, cases_ == 1 ? "" : "s", time_left()));
}

void progress::show(const std::string& activity) {
    if (!line_.can_draw()) return;
    constexpr std::size_t width = 12;
    const auto line = fmt::format("{} {}{}: {}", term::progress_bar(share(), width), rounds(),
                                  time_left(), activity);
    // A narrow window cuts off the end of the line, which matters least.
    line_.draw(wire::truncate_utf8(line, term::progress_line::width()));
}

}  // namespace sluice::lab
