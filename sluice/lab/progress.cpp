// Draws one line over itself.
#include "sluice/lab/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sluice::lab {
namespace {

std::size_t columns() noexcept {
    constexpr std::size_t usual = 80;
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return usual;
    return size.ws_col;
}

std::string in_words(double seconds) {
    const auto whole = static_cast<long>(std::max(0.0, seconds));
    if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    return fmt::format("{} s", whole);
}

}  // namespace

progress::progress(std::size_t cases, clock::time_point end, bool quiet)
    : cases_{cases}, end_{end}, quiet_{quiet}, bar_{!quiet && ::isatty(STDERR_FILENO) == 1} {}

progress::~progress() {
    clear();
}

void progress::clear() {
    if (!drawn_) return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    drawn_ = false;
}

void progress::begin_case(const std::string& name) {
    ++case_;
    name_ = name;
    if (bar_ || quiet_) return;
    std::fputs(fmt::format("[{}/{}] {}\n", case_, cases_, name).c_str(), stderr);
}

void progress::show(const std::string& doing, double done) {
    if (!bar_) return;
    constexpr std::size_t width = 20;
    const double share =
        (static_cast<double>(case_ - 1) + std::clamp(done, 0.0, 1.0)) / static_cast<double>(cases_);
    const double spent = std::chrono::duration<double>(clock::now() - begun_).count();
    const double most = std::chrono::duration<double>(end_ - clock::now()).count();
    // The time that is left can be no longer than the limit, and is shorter where cases end early.
    const double left = share > 0.02 ? std::min(most, spent / share * (1 - share)) : most;
    const auto filled = static_cast<std::size_t>(share * width);
    auto line = fmt::format("[{:#<{}}{:.<{}}] {}/{} {}: {}; about {} left", "", filled, "",
                            width - filled, case_, cases_, name_, doing, in_words(left));
    const auto room = columns() - 1;
    if (line.size() > room) line.resize(room);
    std::fputs(("\r" + line + "\033[K").c_str(), stderr);
    std::fflush(stderr);
    drawn_ = true;
}

}  // namespace sluice::lab
