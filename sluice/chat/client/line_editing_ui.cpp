// Implements line_editing_ui: one coroutine writes, the others queue output and wake it.
#include "sluice/chat/client/line_editing_ui.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <ranges>
#include <utility>
#include <vector>

#include "sluice/base/check.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::chat {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view prompt = "> ";
// In bytes, while the terminal is stopped (Ctrl-S); the rest stays in the kernel.
constexpr std::size_t max_output = std::size_t{64} * 1024;
// For the last output, on a terminal that may be stopped.
constexpr auto last_write_timeout = 500ms;

/// The author in brackets, if the line is a message (`[bob]: hello`); else empty.
std::string_view author_of(std::string_view line) noexcept {
    if (!line.starts_with('[')) return {};
    const auto end = line.find("]: ");
    return end == std::string_view::npos ? std::string_view{} : line.substr(0, end + 1);
}

/// A colour chosen by the name, readable on black and on white (SGR, ECMA-48).
std::string_view colour_of(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 6> colours{"\x1b[31m", "\x1b[32m", "\x1b[33m",
                                                      "\x1b[34m", "\x1b[35m", "\x1b[36m"};
    std::uint32_t sum = 2166136261;  // FNV-1a
    for (const char c : name) sum = (sum ^ static_cast<std::uint8_t>(c)) * 16777619;
    return colours[sum % colours.size()];
}

// The end mark of a paste may be lost; these distinguish a key from the rest of a paste.
constexpr auto pause_in_paste = 250ms;
constexpr std::size_t longest_key = 16;
constexpr std::string_view paste_end = "\x1b[201~";

constexpr std::string_view dim = "\x1b[2m";
constexpr std::string_view plain = "\x1b[0m";

}  // namespace

line_editing_ui::line_editing_ui(term::console& keyboard, term::console& screen, options o)
    : keyboard_{keyboard},
      screen_{screen},
      options_{std::move(o)},
      editor_{term::line_editor::limits{.line = options_.max_line}} {
    check(!screen.engine().blocks(),
          "line editing on the blocking engine, which waits for one operation at a time");
}

coro::task<result<std::optional<std::string>>> line_editing_ui::next_line() {
    while (typed_.empty()) {
        if (editor_.ended()) co_return std::nullopt;
        const auto chunk = co_await keyboard_.recv();
        if (!chunk) co_return failure(chunk.error());
        if (chunk->empty()) co_return std::nullopt;
        handle_input(chunk->text());
    }
    auto next = std::move(typed_.front());
    typed_.pop_front();
    last_is_one_of_several_ = next.is_one_of_several;
    co_return std::move(next.text);
}

void line_editing_ui::handle_input(std::string_view chunk) {
    const auto now = io::clock::now();
    const bool paused = now - std::exchange(last_key_, now) >= pause_in_paste;
    // The rest of a paste comes with its end mark, or in a piece that is longer than a key.
    if (editor_.in_paste() && paused && chunk.size() <= longest_key &&
        chunk.find(paste_end) == std::string_view::npos) {
        editor_.end_paste();
    }
    std::vector<std::string> entries;
    editor_.feed(chunk, entries);
    for (const std::string_view entry : entries) {
        const bool several = entry.find('\n') != std::string_view::npos;
        for (const auto part : std::views::split(entry, '\n')) {
            std::string line{std::string_view{part}};
            // Shown here, because the server sends it to the other members only.
            output_ += prompt;
            wire::append_printable(output_, line);
            output_ += "\r\n";
            typed_.push_back({.text = std::move(line), .is_one_of_several = several});
        }
    }
    if (editor_.take_refused()) {
        report_error(fmt::format("a line has at most {} bytes (--max-line): the rest was not taken",
                                 options_.max_line));
    }
    changed_ = true;
    wake();
}

coro::task<result<void>> line_editing_ui::show(std::string_view line) {
    while (output_.size() > max_output && !failed_) {
        const auto space = co_await space_.receive();
        if (!space) co_return failure(space.error());
    }
    if (failed_) co_return failure(error_);
    const auto name = options_.colour ? author_of(line) : std::string_view{};
    const bool from_server = options_.colour && line.starts_with("* ");
    if (!name.empty()) {
        output_ += colour_of(name);
        wire::append_printable(output_, name);
        output_ += plain;
    } else if (from_server) {
        output_ += dim;
    }
    wire::append_printable(output_, line.substr(name.size()));
    if (from_server) output_ += plain;
    output_ += "\r\n";
    wake();
    co_return result<void>{};
}

void line_editing_ui::report_event(std::string_view what) {
    write_status({}, what);
}

void line_editing_ui::report_error(std::string_view what) {
    write_status("sluice: ", what);
}

void line_editing_ui::write_status(std::string_view prefix, std::string_view what) {
    if (options_.beside) return options_.beside(fmt::format("{}{}", prefix, what));
    output_.append(prefix).append(what).append("\r\n");
    wake();
}

void line_editing_ui::resize(std::size_t columns, std::size_t rows) {
    view_.resize(columns, rows);
    changed_ = true;
    wake();
}

std::string line_editing_ui::take_away() {
    std::string out;
    // During a write the position of the cursor is unknown.
    if (is_writing_) {
        out = "\r\n";
    } else {
        view_.erase(out);
    }
    return out;
}

void line_editing_ui::draw_again() {
    view_.forget();
    changed_ = true;
    wake();
}

void line_editing_ui::wake() noexcept {
    // A full channel has a wakeup pending already.
    static_cast<void>(wakeup_.try_send(0));
}

coro::task<void> line_editing_ui::run() {
    while (!failed_) {
        compose();
        if (!writing_.empty()) {
            is_writing_ = true;
            const auto written = co_await screen_.send_all(writing_);
            is_writing_ = false;
            if (!written) {
                failed_ = true;
                error_ = written.error();
            }
            static_cast<void>(space_.try_send(0));
            continue;
        }
        if (finishing_) break;
        const auto woken = co_await wakeup_.receive();
        if (!woken) break;
    }
    finished_.close();
}

/// Fills writing_ with the output that updates the screen.
void line_editing_ui::compose() {
    writing_.clear();
    if (output_.empty() && !changed_) return;
    changed_ = false;
    view_.erase(writing_);
    if (editor_.take_clear_screen()) writing_ += "\x1b[H\x1b[2J";
    writing_ += std::exchange(output_, {});
    if (finishing_ && editor_.text().empty()) return;
    view_.draw(writing_, prompt, editor_);
    // An unfinished line stays on the screen, so that the user can copy it.
    if (finishing_) view_.keep(writing_);
}

coro::task<void> line_editing_ui::finish() {
    finishing_ = true;
    changed_ = true;
    wake();
    static_cast<void>(
        co_await io::with_timeout(screen_.engine(), wait_until_written(), last_write_timeout));
}

coro::task<result<void>> line_editing_ui::wait_until_written() noexcept {
    const auto closed = co_await finished_.receive();
    if (!closed && closed.error() == fault::cancelled) co_return failure(fault::cancelled);
    co_return result<void>{};
}

}  // namespace sluice::chat
