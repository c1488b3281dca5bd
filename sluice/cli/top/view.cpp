// Implements draw(): what matters most stands at the left and at the top, for the rest is cut off.
#include "sluice/cli/top/view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include "sluice/cli/text.hpp"

namespace sluice::cli::top {
namespace {

// SGR (ECMA-48, section 8.3.117).
constexpr std::string_view bold = "\x1b[1m";
constexpr std::string_view green = "\x1b[32m";
constexpr std::string_view yellow = "\x1b[33m";
constexpr std::string_view red = "\x1b[31m";
constexpr std::string_view plain = "\x1b[0m";

/// ASCII without controls: each character is a column wide.
std::string safe(std::string_view text) {
    std::string out{text};
    std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
}

/// A number of at most seven characters: 0, 0.25, 12.3, 1,234, 56.7k, 8.9M.
std::string number(double value) {
    if (std::isnan(value) || value <= 0) return "0";
    if (value < 1) return fmt::format("{:.2f}", value);
    if (value < 100) return fmt::format("{:.1f}", value);
    if (value < 10'000) return grouped(static_cast<std::uint64_t>(std::llround(value)));
    constexpr std::array<char, 4> steps{'k', 'M', 'G', 'T'};
    std::size_t step = 0;
    value /= 1000;
    for (; value >= 1000 && step + 1 < steps.size(); ++step) value /= 1000;
    return fmt::format("{:.1f}{}", value, steps.at(step));
}

std::string whole(double value) {
    return value < 10'000 ? grouped(static_cast<std::uint64_t>(std::max(0.0, value)))
                          : number(value);
}

std::string bytes(double value) {
    constexpr std::array<std::string_view, 6> steps{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    std::size_t step = 0;
    for (; value >= 1024 && step + 1 < steps.size(); ++step) value /= 1024;
    if (step == 0) return fmt::format("{:.0f} B", value);
    return fmt::format("{:.1f} {}", value, steps.at(step));
}

std::string time(const std::optional<double>& seconds) {
    if (!seconds) return "-";
    if (*seconds < 1e-3) return fmt::format("{:.0f} us", *seconds * 1e6);
    if (*seconds < 1) return fmt::format("{:.1f} ms", *seconds * 1e3);
    return fmt::format("{:.1f} s", *seconds);
}

std::string uptime(double seconds) {
    constexpr double longest = 1e15;  // a server may say that it began at any time
    const auto all = static_cast<std::uint64_t>(std::min(seconds, longest));
    if (all < 60) return fmt::format("{}s", all);
    if (all < 3600) return fmt::format("{}m {:02}s", all / 60, all % 60);
    if (all < 86'400) return fmt::format("{}h {:02}m", all / 3600, all / 60 % 60);
    return fmt::format("{}d {:02}h", all / 86'400, all / 3600 % 24);
}

/// Lines as wide as the window, in colours where it has them.
class canvas {
 public:
    explicit canvas(const view_options& o) noexcept : options_{o} {}

    void add(std::string text, std::string_view colour = {}) {
        text.resize(std::min(text.size(), options_.columns));
        while (text.ends_with(' ')) text.pop_back();
        if (options_.colour && !colour.empty() && !text.empty()) {
            text = fmt::format("{}{}{}", colour, text, plain);
        }
        lines_.push_back(std::move(text));
    }
    /// Between parts, where there is room for it.
    void add_gap() {
        constexpr std::size_t small = 16;
        if (options_.rows == 0 || options_.rows >= small) lines_.emplace_back();
    }
    /// At most so many lines; a last one says how to leave.
    [[nodiscard]] std::vector<std::string> take() {
        if (options_.rows > 0) {
            const std::size_t room = options_.rows - (options_.keys ? 1 : 0);
            lines_.resize(std::min(lines_.size(), room));
        }
        if (options_.keys) add("q quits", {});
        return std::move(lines_);
    }

 private:
    const view_options& options_;
    std::vector<std::string> lines_;
};

void draw_server(canvas& to, const summary& s) {
    to.add(fmt::format("clients {} (most {}, {} a door)  shed {}  refused {}", whole(s.connected),
                       whole(s.most), whole(s.limit), whole(s.shed), whole(s.refused)));
    to.add(fmt::format("memory {}  cpu {:.0f} %  descriptors {}  up {}", bytes(s.memory),
                       s.cpu * 100, whole(s.descriptors), uptime(s.uptime)));
}

void draw_activities(canvas& to, const summary& s) {
    to.add_gap();
    to.add(fmt::format("{:<12} {:>11} {:>11} {:>9} {:>9}", "", "a second", "total", "p50", "p99"),
           bold);
    for (const auto& each : s.activities) {
        const auto amount = [&each](double value) {
            return each.in_bytes ? bytes(value) : number(value);
        };
        const bool timed = each.median || each.slowest;
        to.add(fmt::format("{:<12} {:>11} {:>11} {:>9} {:>9}", safe(each.name), amount(each.rate),
                           each.in_bytes ? bytes(each.total) : whole(each.total),
                           timed ? time(each.median) : "", timed ? time(each.slowest) : ""));
    }
}

void draw_doors(canvas& to, const summary& s) {
    to.add_gap();
    to.add(fmt::format("{:<12} {:>11} {:>11} {:>9}", "door", "clients", "new/s", "total"), bold);
    for (const auto& each : s.doors) {
        to.add(fmt::format("{:<12} {:>11} {:>11} {:>9}", safe(each.name), whole(each.connected),
                           number(each.rate), whole(each.total)));
    }
}

void draw_shards(canvas& to, const summary& s) {
    if (s.shards.empty()) return;
    to.add_gap();
    to.add(fmt::format("{:<12} {:>11} {:>11} {:>9} {:>9} {:>9}", "shard", "load", "turns/s",
                       "clients", "run queue", "buffers"),
           bold);
    for (const auto& each : s.shards) {
        to.add(fmt::format("{:<12} {:>9.0f} % {:>11} {:>9} {:>9} {:>9}", safe(each.name),
                           each.load * 100, number(each.turns), whole(each.clients),
                           whole(each.run_queue), whole(each.buffers)));
    }
}

}  // namespace

std::vector<std::string> draw(std::string_view where, const std::optional<summary>& shown,
                              std::string_view message, const view_options& o) {
    canvas to{o};
    if (!shown) {
        to.add(fmt::format("sluice at {}", safe(where)), bold);
        to.add(message.empty() ? std::string{"waiting for the first numbers"} : safe(message), red);
        return to.take();
    }
    const auto& s = *shown;
    to.add(fmt::format("sluice {} at {}  {}, {}", safe(s.version), safe(where), safe(s.model),
                       safe(s.engine)),
           bold);
    if (!message.empty()) {
        to.add(safe(message), red);
    } else {
        to.add(s.ready ? "ready" : "not ready: it starts, or takes no more clients",
               s.ready ? green : yellow);
    }
    draw_server(to, s);
    draw_activities(to, s);
    draw_doors(to, s);
    draw_shards(to, s);
    return to.take();
}

}  // namespace sluice::cli::top
