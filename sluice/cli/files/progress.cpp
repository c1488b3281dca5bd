// Implements the progress display: draws the bar ten times per second, JSON twice.
#include "sluice/cli/files/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <mutex>

#include <nlohmann/json.hpp>

#include "sluice/cli/log.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/term/colour.hpp"
#include "sluice/wire/size.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;
using files::phase;
using files::progress;

double seconds_between(io::time_point a, io::time_point b) {
    return std::chrono::duration<double>(b - a).count();
}

std::string_view name_of(phase p) noexcept {
    switch (p) {
        case phase::connecting: return "connecting";
        case phase::checking: return "checking";
        case phase::moving: return "moving";
        case phase::waiting: return "waiting";
        case phase::keeping: return "keeping";
    }
    return "?";
}

progress_style settle(progress_style wanted, bool can_draw) {
    if (wanted == progress_style::json) return wanted;
    if (wanted == progress_style::none || !can_draw) return progress_style::none;
    return progress_style::bar;
}

std::string time_left(double seconds) {
    const auto s = static_cast<std::uint64_t>(std::ceil(seconds));
    if (s < 60) return fmt::format("{} s left", s);
    if (s < 3600) return fmt::format("{}:{:02} min left", s / 60, s % 60);
    return fmt::format("{}:{:02} h left", s / 3600, s / 60 % 60);
}

/// The last name of a path, cut to `most` bytes, "..." included.
std::string shortened(std::string_view path, std::size_t most) {
    const auto slash = path.rfind('/');
    auto shown = wire::printable(slash == std::string_view::npos ? path : path.substr(slash + 1));
    if (shown.size() <= most) return shown;
    return std::string{wire::truncate_utf8(shown, most - 3)} + "...";
}

std::uint64_t whole(double number) noexcept {
    return number > 0 ? static_cast<std::uint64_t>(std::llround(number)) : 0;
}

}  // namespace

void pace::update(io::time_point now, std::uint64_t bytes) noexcept {
    samples_[count_ % most] = {.when = now, .bytes = bytes};
    ++count_;
}

double pace::rate() const noexcept {
    if (count_ < 2) return 0;
    const auto& last = samples_[(count_ - 1) % most];
    const sample* first = &last;
    for (std::size_t back = 1; back < std::min(count_, most); ++back) {
        const auto& each = samples_[(count_ - 1 - back) % most];
        first = &each;
        if (seconds_between(each.when, last.when) >= 3) break;
    }
    const double seconds = seconds_between(first->when, last.when);
    return seconds > 0 ? static_cast<double>(last.bytes - first->bytes) / seconds : 0;
}

double seconds_left(const progress_report& r) noexcept {
    if (r.total == progress::unknown || r.bytes > r.total) return -1;
    if (r.bytes == r.total) return 0;
    // The mean of both: the current rate fluctuates, and the average ignores recent changes.
    const double rate = r.rate > 0 ? (r.rate + r.average) / 2 : 0;
    return rate > 0 ? static_cast<double>(r.total - r.bytes) / rate : -1;
}

std::string as_bar(const progress_report& r, std::size_t width, bool colour) {
    constexpr std::size_t longest_bar = 40;
    constexpr std::size_t shortest_bar = 8;
    const bool checking = r.phase == "checking";
    const bool known = r.total != progress::unknown && r.total > 0;
    const std::uint64_t done = checking ? r.checked : r.bytes;
    std::string text = wire::format_size(done);
    double part = 0;
    if (known) {
        part = std::min(1.0, static_cast<double>(done) / static_cast<double>(r.total));
        text = fmt::format("{:3.0f} %  {} of {}", std::floor(part * 100), text,
                           wire::format_size(r.total));
    }
    if (r.phase == "moving") {
        text += fmt::format("  {}/s", wire::format_size(whole(r.rate)));
        const double left = seconds_left(r);
        if (left >= 0) text += "  " + time_left(left);
    } else {
        text += fmt::format("  {}", checking ? "computing the digest" : r.phase);
    }
    const auto name = shortened(r.file, std::max<std::size_t>(10, width / 4));
    const std::size_t used = name.size() + 2 + text.size() + 4;
    if (!known || used + shortest_bar > width) {
        return std::string{wire::truncate_utf8(name + "  " + text, width)};
    }
    const std::size_t bar = std::min(longest_bar, width - used);
    return fmt::format("{}  {}  {}", name, term::progress_bar(part, bar, colour), text);
}

std::string as_json(const progress_report& r) {
    nlohmann::ordered_json j;
    j["event"] = "progress";
    j["file"] = r.file;
    j["phase"] = r.phase;
    j["bytes"] = r.bytes;
    j["total"] = r.total == progress::unknown ? nlohmann::json(nullptr) : nlohmann::json(r.total);
    j["moved"] = r.moved;
    j["rate"] = whole(r.rate);
    j["average"] = whole(r.average);
    const double left = seconds_left(r);
    j["seconds_left"] =
        left < 0 ? nlohmann::json(nullptr) : nlohmann::json(std::round(left * 10) / 10);
    return json_text(j);
}

progress_display::progress_display(progress_style style)
    : line_{show_on_stderr},
      style_{settle(style, line_.can_draw())},
      colour_{term::may_colour(stderr)} {}

progress_display::~progress_display() {
    end();
}

void progress_display::begin(std::string file, const progress& p) {
    end();
    const std::lock_guard lock{mutex_};
    file_ = std::move(file);
    watched_ = &p;
    pace_ = {};
    moves_ = false;
    if (style_ == progress_style::none) return;
    // Without a thread the file moves unseen.
    static_cast<void>(drawer_.start([this] { draw_loop(); }));
}

void progress_display::end() {
    {
        const std::lock_guard lock{mutex_};
        if (watched_ == nullptr) return;
        if (in_json()) draw();
        watched_ = nullptr;
        ended_.notify_one();
    }
    drawer_.join();
    line_.clear();
}

void progress_display::report_retry(const files::transfer_error& why, io::duration pause) {
    const std::lock_guard lock{mutex_};
    const double seconds = std::chrono::duration<double>(pause).count();
    if (in_json()) {
        nlohmann::ordered_json j;
        j["event"] = "retry";
        j["file"] = file_;
        j["error"] = why.what;
        j["pause"] = seconds;
        show_on_stderr(json_text(j));
        return;
    }
    line_.clear();
    announce(fmt::format("sluice: {}; trying again in {} s", why.what, seconds));
}

void progress_display::draw_loop() {
    // JSON needs fewer updates than a bar.
    const auto between = in_json() ? 500ms : 100ms;
    std::unique_lock lock{mutex_};
    while (watched_ != nullptr) {
        draw();
        ended_.wait_for(lock, between, [this] { return watched_ == nullptr; });
    }
}

void progress_display::draw() {
    const auto report = snapshot();
    if (in_json()) {
        show_on_stderr(as_json(report));
        return;
    }
    line_.draw(as_bar(report, term::progress_line::width(), colour_));
}

progress_report progress_display::snapshot() {
    const auto now = io::clock::now();
    const auto moved = watched_->of_this_attempt();
    if (!moves_ && watched_->moves()) {
        moves_ = true;
        pace_.update(watched_->moving_since(), 0);
    }
    if (moves_) pace_.update(now, moved);
    const double seconds = moves_ ? seconds_between(watched_->moving_since(), now) : 0;
    return {.file = file_,
            .phase = name_of(watched_->now()),
            .bytes = watched_->done(),
            .total = watched_->total(),
            .moved = moved,
            .checked = watched_->checked_so_far(),
            .rate = pace_.rate(),
            .average = seconds > 0 ? static_cast<double>(moved) / seconds : 0};
}

}  // namespace sluice::cli
