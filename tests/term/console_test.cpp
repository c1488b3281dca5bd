// stdin and stdout, whatever stands behind them: a file, a pipe, a terminal, nothing.
#include "sluice/term/console.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/framed.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

std::string text_of(const result<term::console::chunk>& got) {
    if (!got) return "(" + got.error().message() + ")";
    return got->empty() ? "(end)" : std::string{got->text()};
}

struct pipe_ends {
    unique_fd reading;
    unique_fd writing;
};
pipe_ends new_pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

/// A terminal whose other side is in the test's hand; nothing is echoed or translated.
struct terminal {
    unique_fd user;
    unique_fd program;
};
terminal new_terminal() {
    int master = -1;
    int slave = -1;
    EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
    termios how{};
    ::tcgetattr(slave, &how);
    ::cfmakeraw(&how);
    ::tcsetattr(slave, TCSANOW, &how);
    return {unique_fd{master}, unique_fd{slave}};
}

unique_fd file_with(const std::string& text) {
    std::string name = ::testing::TempDir() + "sluice-console-XXXXXX";
    unique_fd file{::mkostemp(name.data(), O_CLOEXEC)};
    ::unlink(name.c_str());
    write_all(file.get(), text);
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

class console_contract : public engine_test {
 protected:
    void SetUp() override {
        engine_test::SetUp();
        // As the program does: who writes to a reader that is gone wants an error.
        std::signal(SIGPIPE, SIG_IGN);
    }
    std::unique_ptr<term::console> open(const unique_fd& fd) {
        auto made = term::console::open(engine(), fd.get());
        EXPECT_TRUE(made) << made.error().message();
        return std::move(*made);
    }
    coro::task<std::string> read_all(term::console& from) {
        std::string all;
        for (;;) {
            auto got = co_await from.recv();
            EXPECT_TRUE(got) << text_of(got);
            if (!got || got->empty()) co_return all;
            all += got->text();
        }
    }
};
INSTANTIATE_TEST_SUITE_P(on, console_contract, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(console_contract, a_regular_file_is_read_to_its_end) {
    const std::string text = pattern(200'000);
    const auto file = file_with(text);
    run([&]() -> coro::task<> {
        auto input = open(file);
        auto all = co_await read_all(*input);
        EXPECT_TRUE(all == text);
        auto end = co_await input->recv();
        EXPECT_EQ(text_of(end), "(end)");
    });
}

TEST_P(console_contract, an_empty_file_is_at_its_end) {
    const auto file = file_with("");
    run([&]() -> coro::task<> {
        auto input = open(file);
        auto end = co_await input->recv();
        EXPECT_EQ(text_of(end), "(end)");
    });
}

TEST_P(console_contract, a_regular_file_is_written) {
    const std::string text = pattern(200'000);
    const auto file = file_with("");
    run([&]() -> coro::task<> {
        auto output = open(file);
        auto written = co_await output->send_all(text);
        EXPECT_EQ(shown(written), "200000");
        auto nothing = co_await output->send_all("");
        EXPECT_EQ(shown(nothing), "0");
    });
    ::lseek(file.get(), 0, SEEK_SET);
    EXPECT_TRUE(read_to_end(file.get()) == text);
}

TEST_P(console_contract, the_null_device_has_nothing_and_takes_everything) {
    const unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    run([&]() -> coro::task<> {
        auto both = open(null);
        auto end = co_await both->recv();
        EXPECT_EQ(text_of(end), "(end)");
        auto written = co_await both->send_all("into nothing");
        EXPECT_EQ(shown(written), "12");
    });
}

TEST_P(console_contract, a_pipe_is_read_as_it_comes) {
    auto [reading, writing] = new_pipe();
    const steps later{engine(),
                      {[] {}, [&] { write_all(writing.get(), "one"); }, [] {},
                       [&] { write_all(writing.get(), "two"); }, [&] { writing.reset(); }}};
    run([&]() -> coro::task<> {
        auto input = open(reading);
        auto all = co_await read_all(*input);
        EXPECT_EQ(all, "onetwo");
    });
}

TEST_P(console_contract, a_slow_pipe_gets_everything) {
    auto [reading, writing] = new_pipe();
    const std::string text = pattern(300'000);
    std::string got;
    ::fcntl(reading.get(), F_SETFL, O_NONBLOCK);
    const auto take = [&got, fd = reading.get()] {
        std::array<char, 10'000> buffer{};
        const auto n = ::read(fd, buffer.data(), buffer.size());
        if (n > 0) got.append(buffer.data(), static_cast<std::size_t>(n));
    };
    const steps later{engine(), std::vector<steps::step>(100, take)};
    run([&]() -> coro::task<> {
        auto output = open(writing);
        auto written = co_await output->send_all(text);
        EXPECT_EQ(shown(written), "300000");
    });
    writing.reset();
    for (std::size_t had = got.size() + 1; had != got.size();) {
        had = got.size();
        take();
    }
    EXPECT_TRUE(got == text) << got.size();
}

TEST_P(console_contract, a_pipe_without_a_reader_is_an_error) {
    auto [reading, writing] = new_pipe();
    reading.reset();
    run([&]() -> coro::task<> {
        auto output = open(writing);
        auto written = co_await output->send_all("hello");
        EXPECT_EQ(shown(written), "(broken pipe)");
    });
}

TEST_P(console_contract, a_pipe_whose_reader_goes_is_an_error) {
    auto [reading, writing] = new_pipe();
    const std::string text = pattern(300'000);
    const steps later{engine(), {[] {}, [&] { reading.reset(); }}};
    run([&]() -> coro::task<> {
        auto output = open(writing);
        auto written = co_await output->send_all(text);
        EXPECT_EQ(shown(written), "(broken pipe)");
    });
}

TEST_P(console_contract, waiting_for_input_can_be_given_up) {
    auto [reading, writing] = new_pipe();
    run([&]() -> coro::task<> {
        auto input = open(reading);
        for (int i = 0; i < 2; ++i) {
            auto late = co_await io::with_timeout(engine(), input->recv(), 1ms);
            EXPECT_EQ(text_of(late), "(the deadline passed)");
        }
        write_all(writing.get(), "here");
        auto got = co_await input->recv();
        EXPECT_EQ(text_of(got), "here");
    });
}

TEST_P(console_contract, waiting_for_a_reader_can_be_given_up) {
    auto [reading, writing] = new_pipe();
    const std::string text = pattern(300'000);
    run([&]() -> coro::task<> {
        auto output = open(writing);
        auto late = co_await io::with_timeout(engine(), output->send_all(text), 2ms);
        EXPECT_EQ(shown(late), "(the deadline passed)");
    });
}

TEST_P(console_contract, a_terminal_is_read_and_written) {
    auto [user, program] = new_terminal();
    steps later{engine(), {[] {}, [&] { write_all(user.get(), "typed"); }}};
    run([&]() -> coro::task<> {
        auto both = open(program);
        auto got = co_await both->recv();
        EXPECT_EQ(text_of(got), "typed");
        auto written = co_await both->send_all("shown");
        EXPECT_EQ(shown(written), "5");
        EXPECT_EQ(read_exactly(user.get(), 5), "shown");
    });
}

TEST_P(console_contract, a_terminal_that_is_not_read_holds_up_no_other) {
    // The terminal takes what fits; the rest of the piece must not stop the thread.
    auto [user, program] = new_terminal();
    const std::string text = pattern(500'000);
    run([&]() -> coro::task<> {
        auto output = open(program);
        auto late = co_await io::with_timeout(engine(), output->send_all(text), 5ms);
        EXPECT_EQ(shown(late), "(the deadline passed)");
    });
}

TEST_P(console_contract, the_far_side_of_a_terminal_stays_that_of_the_same_one) {
    auto [user, program] = new_terminal();
    run([&]() -> coro::task<> {
        auto both = open(user);
        auto written = co_await both->send_all("typed");
        EXPECT_EQ(shown(written), "5");
        pollfd there{.fd = program.get(), .events = POLLIN, .revents = 0};
        EXPECT_EQ(::poll(&there, 1, 5000), 1);
        if (there.revents == POLLIN) {
            EXPECT_EQ(read_exactly(program.get(), 5), "typed");
        }
        write_all(program.get(), "shown");
        auto got = co_await both->recv();
        EXPECT_EQ(text_of(got), "shown");
    });
}

TEST_P(console_contract, leaves_the_flags_alone) {
    auto [reading, writing] = new_pipe();
    auto [user, program] = new_terminal();
    for (const auto* fd : {&reading, &writing, &program}) {
        const int before = ::fcntl(fd->get(), F_GETFL);
        run([&]() -> coro::task<> {
            auto shared = open(*fd);
            if (fd != &writing) {
                auto late = co_await io::with_timeout(engine(), shared->recv(), 1ms);
                EXPECT_FALSE(late);
            } else {
                auto written = co_await shared->send_all("x");
                EXPECT_TRUE(written);
            }
            EXPECT_EQ(::fcntl(fd->get(), F_GETFL), before);
        });
        EXPECT_EQ(::fcntl(fd->get(), F_GETFL), before);
    }
}

TEST_P(console_contract, cannot_be_opened_on_what_is_closed) {
    auto [reading, writing] = new_pipe();
    const int number = reading.get();
    io::engine& e = engine();
    reading.reset();
    auto made = term::console::open(e, number);
    ASSERT_FALSE(made);
    EXPECT_TRUE(made.error().is(EBADF));
}

TEST_P(console_contract, lines_come_from_it_too) {
    const auto file = file_with("first\nsecond\nwithout an end");
    run([&]() -> coro::task<> {
        auto input = open(file);
        net::framed<term::console> lines{*input, wire::framing::line, 100};
        std::vector<std::string> all;
        for (;;) {
            auto found = co_await lines.next();
            if (!found || !*found) break;
            all.emplace_back((*found)->text);
        }
        EXPECT_THAT(all, ::testing::ElementsAre("first", "second", "without an end"));
    });
}

// A prompt is written while input is awaited.
class busy_console_contract : public console_contract {};
INSTANTIATE_TEST_SUITE_P(on, busy_console_contract, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(busy_console_contract, a_terminal_is_written_while_it_is_read) {
    auto [user, program] = new_terminal();
    run([&]() -> coro::task<> {
        auto both = open(program);
        std::string typed;
        coro::scope all{co_await coro::this_context()};
        auto read = [](term::console& from, std::string& into) -> coro::task<> {
            auto got = co_await from.recv();
            into = text_of(got);
        };
        all.spawn(read(*both, typed));
        co_await io::sleep_for(engine(), 0ms);
        auto written = co_await both->send_all("prompt> ");
        EXPECT_TRUE(written);
        EXPECT_EQ(read_exactly(user.get(), 8), "prompt> ");
        write_all(user.get(), "answer");
        co_await all.join();
        EXPECT_EQ(typed, "answer");
    });
}

}  // namespace
}  // namespace sluice::test
