// The chat's client in one process, on every engine that can wait for two things at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/chat/client/chat_client.hpp"
#include "sluice/chat/client/line_editing_ui.hpp"
#include "sluice/chat/client/plain_ui.hpp"
#include "sluice/coro/channel.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/term/console.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::chat {

// For gtest.
inline void PrintTo(chat_end how, std::ostream* out) {
    constexpr std::array<std::string_view, 4> names{"left", "server_gone", "failed", "stopped"};
    *out << names[static_cast<std::size_t>(how)];
}

}  // namespace sluice::chat

namespace sluice::test {
namespace {

using namespace std::chrono_literals;
using chat::chat_client_options;
using chat::chat_end;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

/// Enters the lines of its script when the client shows or notes the cue that they wait for.
class scripted_ui final : public chat::chat_ui {
 public:
    explicit scripted_ui(bool typed) : typed_{typed} {}

    /// After a line or note that holds `words`, these are entered.
    void when(std::string words, std::vector<std::string> lines) {
        cues_.push_back({std::move(words), std::move(lines)});
    }
    void enter(std::string line) { static_cast<void>(entered_.try_send(std::move(line))); }
    void end_input() { entered_.close(); }

    coro::task<result<std::optional<std::string>>> next_line() override {
        auto line = co_await entered_.receive();
        if (line) co_return std::optional{std::move(*line)};
        if (line.error() == fault::cancelled) co_return failure(fault::cancelled);
        co_return std::nullopt;
    }
    coro::task<result<void>> show(std::string_view line) override {
        shown.emplace_back(line);
        react(line);
        co_return result<void>{};
    }
    void report_event(std::string_view what) override {
        notes.emplace_back(what);
        react(what);
    }
    void report_error(std::string_view what) override { errors.emplace_back(what); }
    coro::task<void> run() override { co_return; }
    coro::task<void> finish() override { co_return; }
    bool is_typed() const noexcept override { return typed_; }

    std::vector<std::string> shown;
    std::vector<std::string> notes;
    std::vector<std::string> errors;
    std::function<void(std::string_view)> on_text;

 private:
    struct cue {
        std::string words;
        std::vector<std::string> lines;
    };

    void react(std::string_view what) {
        if (on_text) on_text(what);
        const auto found = std::ranges::find_if(
            cues_, [what](const cue& c) { return what.find(c.words) != std::string_view::npos; });
        if (found == cues_.end()) return;
        auto lines = std::move(found->lines);
        cues_.erase(found);
        for (auto& line : lines) enter(std::move(line));
    }

    coro::channel<std::string> entered_{64};
    std::vector<cue> cues_;
    bool typed_;
};

class chat_client : public engine_test {
 protected:
    chat_end chat(scripted_ui& ui, chat_client_options o = {}) {
        chat::chat_client client{engine(), where(), ui, std::move(o)};
        return io::run(engine(), client.run());
    }
    /// Calls soon again.
    static chat_client_options persistent() {
        return {
            .nick = {}, .room = {}, .reconnect = true, .first_pause = 1ms, .longest_pause = 2ms};
    }
    [[nodiscard]] std::vector<net::address> where() const {
        return net::resolve("127.0.0.1:" + std::to_string(listener_.port)).value();
    }
    [[nodiscard]] unique_fd accept() const {
        return unique_fd{::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    }
    void close_listener() const { ::shutdown(listener_.socket.get(), SHUT_RDWR); }

 private:
    listening listener_ = listen_on_loopback();
};
INSTANTIATE_TEST_SUITE_P(on, chat_client, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(chat_client, says_what_is_entered_and_shows_what_comes) {
    scripted_ui ui{false};
    ui.enter("hello");
    ui.enter("");
    ui.when("[bob]: hi", {"and you", "exit", "never"});
    std::string received;
    std::thread server{[&] {
        const auto peer = accept();
        received = read_exactly(peer.get(), 7);
        write_all(peer.get(), "* welcome\n[bob]: hi\n");
        received += read_to_end(peer.get());
        write_all(peer.get(), "* bye\n");
    }};
    EXPECT_EQ(chat(ui), chat_end::left);
    server.join();
    EXPECT_EQ(received, "hello\n\nand you\nexit\n");
    EXPECT_THAT(ui.shown, ElementsAre("* welcome", "[bob]: hi", "* bye"));
    EXPECT_THAT(ui.errors, ElementsAre());
}

TEST_P(chat_client, an_empty_line_that_was_typed_is_not_said) {
    scripted_ui ui{true};
    for (const auto* line : {"", "x", "exit"}) ui.enter(line);
    std::string received;
    std::thread server{[&] { received = read_to_end(accept().get()); }};
    EXPECT_EQ(chat(ui), chat_end::left);
    server.join();
    EXPECT_EQ(received, "x\nexit\n");
}

TEST_P(chat_client, a_server_that_closes_first_may_not_have_received) {
    scripted_ui ui{false};
    std::thread server{[&] { write_all(accept().get(), "* full\n"); }};
    EXPECT_EQ(chat(ui), chat_end::server_gone);
    server.join();
    EXPECT_THAT(ui.shown, ElementsAre("* full"));
    EXPECT_THAT(ui.errors, ElementsAre("the server closed the connection"));
}

TEST_P(chat_client, a_refused_connection_is_reported_once_even_if_it_would_reconnect) {
    close_listener();
    scripted_ui ui{true};
    EXPECT_EQ(chat(ui, persistent()), chat_end::server_gone);
    EXPECT_THAT(ui.errors, ElementsAre(HasSubstr("nobody listens at 127.0.0.1:")));
}

TEST_P(chat_client, keeps_its_name_and_room_and_what_was_typed_meanwhile) {
    scripted_ui ui{true};
    auto o = persistent();
    o.nick = "bob";
    o.room = "tea";
    ui.when("calling again", {"one", "two"});
    ui.when("[eve]: there", {"exit"});
    std::vector<std::string> received;
    std::thread server{[&] {
        {
            const auto peer = accept();
            received.push_back(read_exactly(peer.get(), 20));
            write_all(peer.get(), "* you are now bob\n* you are in room tea (1 here)\n");
        }
        const auto peer = accept();
        received.push_back(read_exactly(peer.get(), 20));
        write_all(peer.get(), "* you are now bob\n");
        received.push_back(read_exactly(peer.get(), 8));
        write_all(peer.get(), "[eve]: there\n");
        received.push_back(read_to_end(peer.get()));
    }};
    EXPECT_EQ(chat(ui, o), chat_end::left);
    server.join();
    EXPECT_THAT(received, ElementsAre("/nick bob\n/join tea\n", "/nick bob\n/join tea\n",
                                      "one\ntwo\n", "exit\n"));
}

TEST_P(chat_client, asks_again_for_a_name_that_its_own_dead_connection_holds) {
    scripted_ui ui{true};
    auto o = persistent();
    o.nick = "bob";
    ui.when("* you are now bob", {});
    ui.when("* you are now bob", {"exit"});
    int asked = 0;
    std::thread server{[&] {
        write_all(accept().get(), "* you are now bob\n");
        const auto peer = accept();
        for (asked = 1; asked < 4; ++asked) {
            EXPECT_EQ(read_exactly(peer.get(), 10), "/nick bob\n");
            write_all(peer.get(), "* the name bob is taken; choose another\n");
        }
        EXPECT_EQ(read_exactly(peer.get(), 10), "/nick bob\n");
        write_all(peer.get(), "* you are now bob\n");
        // Where the answer took longer than the pause, it has asked once more meanwhile.
        EXPECT_THAT(read_to_end(peer.get()), MatchesRegex("(/nick bob\n)*exit\n"));
    }};
    EXPECT_EQ(chat(ui, o), chat_end::left);
    server.join();
    EXPECT_THAT(ui.shown, ElementsAre("* you are now bob", "* you are now bob"));
}

TEST_P(chat_client, keeps_no_more_than_its_bound) {
    scripted_ui ui{true};
    auto o = persistent();
    o.first_pause = o.longest_pause = 1h;
    o.most_kept = 10;
    ui.when("calling again", {"12345", "67890", "x", "exit"});
    std::thread server{[&] { static_cast<void>(accept()); }};
    EXPECT_EQ(chat(ui, o), chat_end::server_gone);
    server.join();
    EXPECT_THAT(ui.errors, ElementsAre(HasSubstr("10 bytes wait to be sent"),
                                       "the 2 lines you entered last could not be sent"));
}

TEST_P(chat_client, stops_while_it_calls_waits_and_talks) {
    {
        scripted_ui ui{true};
        chat::chat_client client{engine(), where(), ui, {}};
        client.stop();
        EXPECT_EQ(io::run(engine(), client.run()), chat_end::stopped);
    }
    for (const std::string_view cue : {"connected to", "calling again"}) {
        scripted_ui ui{true};
        auto o = persistent();
        o.first_pause = o.longest_pause = 1h;
        chat::chat_client client{engine(), where(), ui, o};
        ui.on_text = [&](std::string_view what) {
            if (what.starts_with(cue)) client.stop();
        };
        std::thread server{[&] { static_cast<void>(accept()); }};
        EXPECT_EQ(io::run(engine(), client.run()), chat_end::stopped);
        server.join();
    }
}

TEST_P(chat_client, a_second_stop_does_not_wait) {
    scripted_ui ui{true};
    chat::chat_client client{engine(), where(), ui, {}};
    ui.on_text = [&](std::string_view) {
        client.stop();
        client.stop();
    };
    EXPECT_EQ(io::run(engine(), client.run()), chat_end::stopped);
    const auto peer = accept();
    EXPECT_EQ(read_to_end(peer.get()), "");
}

// ----- the UI on a terminal

TEST_P(chat_client, a_typing_ui_writes_what_came_together_in_one) {
    auto keyboard = local_pair();
    auto screen = local_pair();
    run([&]() -> coro::task<void> {
        const auto input = term::console::open(engine(), keyboard.ours.get()).value();
        const auto output = term::console::open(engine(), screen.ours.get()).value();
        chat::line_editing_ui ui{*input, *output, {.colour = true, .beside = {}}};
        coro::scope beside{co_await coro::this_context()};
        static_cast<void>(beside.spawn(ui.run()));
        EXPECT_EQ(read_what_is_there(screen.theirs.get()), "> ");
        write_all(keyboard.theirs.get(), "hel");
        write_all(keyboard.theirs.get(), "lo\rx\x04");
        const auto line = co_await ui.next_line();
        EXPECT_EQ(line.value(), "hello");
        static_cast<void>(co_await ui.show("[a]: \x1b"));
        static_cast<void>(co_await ui.show("* quiet"));
        ui.report_error("trouble");
        co_await ui.finish();
        co_await beside.join();
        EXPECT_THAT(read_what_is_there(screen.theirs.get()),
                    ::testing::MatchesRegex("\r\x1b\\[J> hello\r\n\x1b\\[3[1-6]m\\[a\\]\x1b\\[0m: "
                                            "\\\\x1b\r\n\x1b\\[2m\\* quiet\x1b\\[0m\r\n"
                                            "sluice: trouble\r\n> x\r\n"));
    });
}

TEST_P(chat_client, a_typing_ui_stops_reading_where_its_terminal_takes_nothing) {
    auto keyboard = local_pair();
    auto screen = local_pair();
    shrink_buffers(screen.ours.get());
    shrink_buffers(screen.theirs.get());
    fill(screen.ours.get());
    run([&]() -> coro::task<void> {
        const auto input = term::console::open(engine(), keyboard.ours.get()).value();
        const auto output = term::console::open(engine(), screen.ours.get()).value();
        chat::line_editing_ui ui{*input, *output, {.beside = {}}};
        coro::scope beside{co_await coro::this_context()};
        static_cast<void>(beside.spawn(ui.run()));
        const std::string line(10'000, 'x');
        std::size_t shown = 0;
        for (; shown < 100; ++shown) {
            const auto done =
                co_await io::with_timeout(engine(), ui.show(line), std::chrono::milliseconds{20});
            if (!done) break;
        }
        EXPECT_LT(shown, 10U);
        // And it still lets the program end.
        co_await ui.finish();
        beside.cancel();
        co_await beside.join();
    });
}

}  // namespace
}  // namespace sluice::test
