// Implements lab::noise: /proc/stat, getrusage(2), load average and CPU frequencies.
#include "sluice/lab/noise.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "sluice/io/timer.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::lab {
namespace {

constexpr double much_of_a_core = 0.1;
constexpr double much_stolen = 0.02;
constexpr double long_run_queue_wait = 0.05;

double in_seconds(const timeval& t) noexcept {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
}

double used_by(int who) noexcept {
    rusage used{};
    os::sys().getrusage(who, used);
    return in_seconds(used.ru_utime) + in_seconds(used.ru_stime);
}

noise::clocks read_clocks() {
    noise::clocks found;
    std::ifstream file{"/proc/stat"};
    std::string name;
    double user = 0;
    double nice = 0;
    double system = 0;
    double other = 0;
    file >> name >> user >> nice >> system;
    // Skips idle, iowait, irq and softirq (proc_stat(5)): no program can be charged with
    // interrupts.
    for (int i = 0; i < 4; ++i) file >> other;
    double stolen = 0;
    file >> stolen;
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    found.busy = (user + nice + system) / ticks;
    found.stolen = stolen / ticks;
    found.ours = used_by(RUSAGE_SELF) + used_by(RUSAGE_CHILDREN);
    found.now = std::chrono::duration<double>(io::clock::now().time_since_epoch()).count();
    return found;
}

disturbance between(const noise::clocks& before, const noise::clocks& now, double run_queue_wait) {
    const double elapsed = now.now - before.now;
    return {.others = std::max(0.0, now.busy - before.busy - (now.ours - before.ours)) / elapsed,
            .stolen = std::max(0.0, now.stolen - before.stolen) / elapsed,
            .run_queue_wait = run_queue_wait};
}

}  // namespace

double disturbance::size() const noexcept {
    return std::max(
        {others / much_of_a_core, stolen / much_stolen, run_queue_wait / long_run_queue_wait});
}

noise::noise() : noise{read_clocks} {}

noise::noise(std::function<clocks()> read) : read_{std::move(read)} {
    double average = 0;
    if (::getloadavg(&average, 1) == 1) load_average_ = average;
}

void noise::begin_sample() {
    before_ = read_();
}

disturbance noise::end_sample(double run_queue_wait) {
    constexpr double shortest = 0.1;  // seconds: the clocks in /proc/stat tick every 10 ms
    const auto now = read_();
    const double elapsed = now.now - before_.now;
    read_frequencies();
    if (elapsed < shortest) return {};
    ++samples_;
    const auto found = between(before_, now, run_queue_wait);
    if (found.others > much_of_a_core) ++disturbed_;
    if (found.stolen > much_stolen) ++stolen_;
    if (found.run_queue_wait > long_run_queue_wait) ++run_queue_wait_;
    most_ = {.others = std::max(most_.others, found.others),
             .stolen = std::max(most_.stolen, found.stolen),
             .run_queue_wait = std::max(most_.run_queue_wait, found.run_queue_wait)};
    return found;
}

std::string noise::look_around(std::chrono::milliseconds time) {
    const auto before = read_();
    os::sleep_for(time);
    const auto now = read_();
    if (now.now <= before.now) return {};
    const auto found = between(before, now, 0);
    if (found.others > much_of_a_core) {
        return fmt::format(
            "other programs use {:.1f} cores at the moment: end them (top shows which), or the "
            "figures are noisy and few differences can be told",
            found.others);
    }
    if (found.stolen > much_stolen) {
        return fmt::format(
            "the host of this virtual machine takes {:.2f} cores away at the moment: measure at "
            "another time or elsewhere, or few differences can be told",
            found.stolen);
    }
    return {};
}

void noise::read_frequencies() {
    const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
    constexpr long most = 64;
    double best = 0;
    for (long core = 0; core < std::min(cores, most); ++core) {
        std::ifstream file{
            fmt::format("/sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq", core)};
        double kilohertz = 0;
        if (!(file >> kilohertz)) return;
        best = std::max(best, kilohertz * 1e3);
    }
    // Only the fastest core of the moment is known to be busy; idle cores may be slow.
    fastest_ = std::max(fastest_, best);
    slowest_ = slowest_ > 0 ? std::min(slowest_, best) : best;
}

std::vector<std::string> noise::warnings() const {
    std::vector<std::string> found;
    if (disturbed_ > 0) {
        found.push_back(fmt::format(
            "Other programs used more than a tenth of a core in {} of {} samples, {:.2f} cores at "
            "most: end them and measure again.",
            disturbed_, samples_, most_.others));
    }
    if (stolen_ > 0) {
        found.push_back(fmt::format(
            "The host of this virtual machine took more than 2 % of a core away in {} of {} "
            "samples, {:.2f} cores at most.",
            stolen_, samples_, most_.stolen));
    }
    if (run_queue_wait_ > 0) {
        found.push_back(fmt::format(
            "Server or load stood ready for more than {:.0f} % of the time without the core that "
            "was theirs in {} of {} samples, {:.0f} % at most.",
            long_run_queue_wait * 100, run_queue_wait_, samples_, most_.run_queue_wait * 100));
    }
    constexpr double busy = 1;
    if (load_average_ > busy) {
        found.push_back(fmt::format(
            "The load average was {:.1f} when the lab began: the machine was busy before.",
            load_average_));
    }
    constexpr double steady = 0.9;
    if (slowest_ < fastest_ * steady) {
        found.push_back(fmt::format(
            "The cores ran at between {:.1f} and {:.1f} GHz: choose the governor 'performance' for "
            "figures that are closer together.",
            slowest_ / 1e9, fastest_ / 1e9));
    }
    return found;
}

}  // namespace sluice::lab
