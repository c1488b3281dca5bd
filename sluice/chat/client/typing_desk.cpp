// One coroutine writes; the others leave what is to be written, and ring.
#include "sluice/chat/client/typing_desk.hpp"

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
// What a terminal that is stopped (Ctrl-S) may leave waiting; the rest waits in the kernel.
constexpr std::size_t most_news = std::size_t{64} * 1024;
// A terminal that takes nothing must not keep the program from ending.
constexpr auto last_write_time = 500ms;

/// The one who speaks, in brackets, if the line is a message (`[bob]: hello`); else empty.
std::string_view speaker(std::string_view line) noexcept {
    if (!line.starts_with('[')) return {};
    const auto end = line.find("]: ");
    return end == std::string_view::npos ? std::string_view{} : line.substr(0, end + 1);
}

/// The same one for the same name, of those that can be read on black and on white (SGR, ECMA-48).
std::string_view colour_of(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 6> colours{"\x1b[31m", "\x1b[32m", "\x1b[33m",
                                                      "\x1b[34m", "\x1b[35m", "\x1b[36m"};
    std::uint32_t sum = 2166136261;  // FNV-1a
    for (const char c : name) sum = (sum ^ static_cast<std::uint8_t>(c)) * 16777619;
    return colours[sum % colours.size()];
}

// The end mark of a paste may be lost on its way; these tell a key from the rest of a paste.
constexpr auto pause_in_paste = 250ms;
constexpr std::size_t longest_key = 16;
constexpr std::string_view paste_end = "\x1b[201~";

constexpr std::string_view dim = "\x1b[2m";
constexpr std::string_view plain = "\x1b[0m";

}  // namespace

typing_desk::typing_desk(term::console& keyboard, term::console& screen, options o)
    : keyboard_{keyboard},
      screen_{screen},
      options_{std::move(o)},
      editor_{term::line_editor::limits{.line = options_.max_line}} {
    check(!screen.home().blocks(), "a typing desk on an engine that waits for one thing at a time");
}

coro::task<result<std::optional<std::string>>> typing_desk::next_line() {
    while (typed_.empty()) {
        if (editor_.ended()) co_return std::nullopt;
        const auto chunk = co_await keyboard_.recv();
        if (!chunk) co_return failure(chunk.error());
        if (chunk->empty()) co_return std::nullopt;
        take(chunk->text());
    }
    auto next = std::move(typed_.front());
    typed_.pop_front();
    given_is_one_of_several_ = next.is_one_of_several;
    co_return std::move(next.text);
}

void typing_desk::take(std::string_view chunk) {
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
            // What was entered stays on the screen, as the server sends it to all others only.
            news_ += prompt;
            wire::append_printable(news_, line);
            news_ += "\r\n";
            typed_.push_back({.text = std::move(line), .is_one_of_several = several});
        }
    }
    if (editor_.take_refused()) {
        complain(fmt::format("a line has at most {} bytes (--max-line): the rest was not taken",
                             options_.max_line));
    }
    changed_ = true;
    ring();
}

coro::task<result<void>> typing_desk::show(std::string_view line) {
    while (news_.size() > most_news && !failed_) {
        const auto room = co_await room_.receive();
        if (!room) co_return failure(room.error());
    }
    if (failed_) co_return failure(trouble_);
    const auto name = options_.colour ? speaker(line) : std::string_view{};
    const bool from_server = options_.colour && line.starts_with("* ");
    if (!name.empty()) {
        news_ += colour_of(name);
        wire::append_printable(news_, name);
        news_ += plain;
    } else if (from_server) {
        news_ += dim;
    }
    wire::append_printable(news_, line.substr(name.size()));
    if (from_server) news_ += plain;
    news_ += "\r\n";
    ring();
    co_return result<void>{};
}

void typing_desk::note(std::string_view what) {
    remark({}, what);
}

void typing_desk::complain(std::string_view what) {
    remark("sluice: ", what);
}

void typing_desk::remark(std::string_view before, std::string_view what) {
    if (options_.beside) return options_.beside(fmt::format("{}{}", before, what));
    news_.append(before).append(what).append("\r\n");
    ring();
}

void typing_desk::resize(std::size_t columns, std::size_t rows) {
    view_.resize(columns, rows);
    changed_ = true;
    ring();
}

std::string typing_desk::take_away() {
    std::string out;
    // Where the cursor is in the middle of a write is not known.
    if (writing_now_) {
        out = "\r\n";
    } else {
        view_.erase(out);
    }
    return out;
}

void typing_desk::draw_again() {
    view_.forget();
    changed_ = true;
    ring();
}

void typing_desk::ring() noexcept {
    // A bell that rings already is enough.
    static_cast<void>(bell_.try_send(0));
}

coro::task<void> typing_desk::run() {
    while (!failed_) {
        compose();
        if (!writing_.empty()) {
            writing_now_ = true;
            const auto written = co_await screen_.send_all(writing_);
            writing_now_ = false;
            if (!written) {
                failed_ = true;
                trouble_ = written.error();
            }
            static_cast<void>(room_.try_send(0));
            continue;
        }
        if (finishing_) break;
        const auto rung = co_await bell_.receive();
        if (!rung) break;
    }
    out_.close();
}

/// What leads from the screen as it is to the screen as it is to be.
void typing_desk::compose() {
    writing_.clear();
    if (news_.empty() && !changed_) return;
    changed_ = false;
    view_.erase(writing_);
    if (editor_.take_clear_screen()) writing_ += "\x1b[H\x1b[2J";
    writing_ += std::exchange(news_, {});
    if (finishing_ && editor_.text().empty()) return;
    view_.draw(writing_, prompt, editor_);
    // Whoever had begun a line can still copy it.
    if (finishing_) view_.keep(writing_);
}

coro::task<void> typing_desk::finish() {
    finishing_ = true;
    changed_ = true;
    ring();
    static_cast<void>(co_await io::with_timeout(screen_.home(), all_is_out(), last_write_time));
}

coro::task<result<void>> typing_desk::all_is_out() noexcept {
    const auto closed = co_await out_.receive();
    if (!closed && closed.error() == fault::cancelled) co_return failure(fault::cancelled);
    co_return result<void>{};
}

}  // namespace sluice::chat
