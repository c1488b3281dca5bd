// A room of members that all talk at once, while others come and go in every way there is:
// every message reaches each member that stayed, once, in order, whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/chat/rig.hpp"

namespace sluice::chat {
namespace {

constexpr std::size_t regular_count = 48;
constexpr std::size_t slow_count = 2;  // of those
constexpr std::size_t short_client_count = 16;
constexpr std::size_t longest = 4096;
// Messages that some member has not read yet. With the few that several threads add at once, they
// stay within a window, so that no member that reads as fast as it can may ever miss one.
constexpr std::uint64_t most_unread = 64;
constexpr std::string_view the_end = "that was all";

std::chrono::milliseconds how_long() {
    const char* wanted = std::getenv("SLUICE_STORM_SECONDS");
    return std::chrono::seconds{wanted != nullptr ? std::atoi(wanted) : 3};
}

using member_id = std::uint64_t;

char filling(member_id who, std::uint64_t number) {
    return static_cast<char>('a' + ((who + number) % 26));
}

/// "WHO NUMBER LENGTH filling", so that a message shows whether it is whole. One without any is a
/// regular's last.
std::string message(member_id who, std::uint64_t number, std::size_t length) {
    return std::to_string(who) + " " + std::to_string(number) + " " + std::to_string(length) + " " +
           std::string(length, filling(who, number));
}

/// What the clients have to know of each other.
class storm {
 public:
    [[nodiscard]] member_id newcomer() { return ++last_; }
    [[nodiscard]] bool is_over() const { return over_; }
    void end() { over_ = true; }

    /// `read` counts the messages of regulars that it is done with, its own included.
    void joins(const std::atomic<std::uint64_t>& read) { readers_.push_back(&read); }
    /// Whether something more may be said: not much of what regulars said is still to be read.
    [[nodiscard]] bool may_speak() const {
        std::uint64_t least = ~std::uint64_t{0};
        for (const auto* read : readers_) least = std::min(least, read->load());
        return said_ <= least + most_unread;
    }
    void count_said() { ++said_; }

    void expect(member_id who, std::uint64_t messages) {
        const std::lock_guard lock{mutex_};
        expected_[who] = messages;
    }
    void add_error(std::string what) {
        const std::lock_guard lock{mutex_};
        if (errors_.size() < 10) errors_.push_back(std::move(what));
    }
    [[nodiscard]] std::vector<std::string> errors() const {
        const std::lock_guard lock{mutex_};
        return errors_;
    }
    [[nodiscard]] const std::map<member_id, std::uint64_t>& expected() const { return expected_; }

 private:
    std::atomic<member_id> last_ = 0;
    std::atomic<bool> over_ = false;
    std::atomic<std::uint64_t> said_ = 0;
    std::vector<const std::atomic<std::uint64_t>*> readers_;
    mutable std::mutex mutex_;
    std::map<member_id, std::uint64_t> expected_;  // of those who left in good order
    std::vector<std::string> errors_;
};

class dice {
 public:
    explicit dice(std::uint64_t seed) : random_{seed} {}
    std::size_t below(std::size_t limit) { return random_() % limit; }
    /// Mostly short, at times as long as it may be.
    std::size_t length() {
        constexpr std::size_t most = longest - 48;
        return 1 + (below(8) == 0 ? (below(4) == 0 ? most : below(most)) : below(200));
    }

 private:
    std::mt19937_64 random_;
};

/// A member from the beginning to the end: talks, and checks what it receives.
class regular {
 public:
    regular(storm& all, shard_port port, std::uint64_t seed, bool slow)
        : storm_{all}, socket_{port}, dice_{seed}, slow_{slow}, me_{all.newcomer()} {
        const std::string greeting = socket_.line();
        if (!greeting.starts_with("* welcome")) storm_.add_error("greeted with " + greeting);
        if (!slow_) storm_.joins(done_with_);
    }

    void talk_and_listen() {
        while (!saw_the_end_ && !lost_) {
            if (out_.empty() && !said_farewell_) compose();
            pollfd ready{.fd = socket_.fd(), .events = POLLIN, .revents = 0};
            if (!out_.empty()) ready.events |= POLLOUT;
            // The socket does not say whether the others have read.
            const int timeout = out_.empty() && !said_farewell_ ? 1 : 20'000;
            if (::poll(&ready, 1, timeout) == 0 && timeout > 1)
                return add_error("hears nothing any more");
            if ((ready.revents & POLLOUT) != 0) send_some();
            if ((ready.revents & (POLLIN | POLLERR | POLLHUP)) != 0) listen();
        }
        storm_.expect(me_, spoken_);
    }

    [[nodiscard]] member_id me() const { return me_; }
    [[nodiscard]] bool slow() const { return slow_; }
    [[nodiscard]] std::uint64_t missed() const { return missed_; }
    [[nodiscard]] std::uint64_t read() const { return read_; }
    /// The number of others whose last message it has received. Any thread.
    [[nodiscard]] std::size_t farewells() const { return farewells_; }
    /// How many messages of each the last one says there were.
    [[nodiscard]] const std::unordered_map<member_id, std::uint64_t>& received() const {
        return received_;
    }

 private:
    void add_error(const std::string& what) {
        lost_ = true;
        storm_.add_error(std::to_string(me_) + " " + what);
    }
    void compose() {
        if (storm_.is_over()) {
            say(0);
            said_farewell_ = true;
            return;
        }
        for (std::size_t glued = 1 + dice_.below(2); glued > 0 && storm_.may_speak(); --glued) {
            say(dice_.length());
        }
    }
    void say(std::size_t length) {
        storm_.count_said();
        ++done_with_;
        out_ += message(me_, spoken_++, length) + "\n";
    }
    void send_some() {
        const std::size_t some = dice_.below(4) == 0 ? 1 + dice_.below(out_.size()) : out_.size();
        const auto n = ::send(socket_.fd(), out_.data(), some, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) out_.erase(0, static_cast<std::size_t>(n));
        if (n < 0 && errno != EAGAIN && errno != EINTR) add_error("cannot send any more");
    }
    void listen() {
        std::array<char, 65536> buffer{};
        const bool dawdles = slow_ && !storm_.is_over();
        const auto n =
            ::recv(socket_.fd(), buffer.data(), dawdles ? 2048 : buffer.size(), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return add_error("lost the connection");
        }
        if (n <= 0) return;
        had_.append(buffer.data(), static_cast<std::size_t>(n));
        std::size_t at = 0;
        for (auto end = had_.find('\n'); end != std::string::npos; end = had_.find('\n', at)) {
            check(std::string_view{had_}.substr(at, end - at));
            at = end + 1;
        }
        had_.erase(0, at);
        // That is what makes it slow.
        if (dawdles) std::this_thread::sleep_for(5ms);
    }
    void check(std::string_view line) {
        if (line.find(the_end) != std::string_view::npos) {
            saw_the_end_ = true;
            return;
        }
        constexpr std::string_view gap = "* you missed ";
        if (line.starts_with(gap)) {
            missed_ += number_at(line.substr(gap.size()));
            return;
        }
        const auto colon = line.find("]: ");
        if (!line.starts_with("[Client ") || colon == std::string_view::npos) {
            return add_error("heard " + std::string{line.substr(0, 80)});
        }
        std::string_view rest = line.substr(colon + 3);
        const member_id who = next_number(rest);
        const std::uint64_t number = next_number(rest);
        const std::size_t length = next_number(rest);
        const char fill = filling(who, number);
        if (rest.size() != length ||
            !std::all_of(rest.begin(), rest.end(), [fill](char c) { return c == fill; })) {
            return add_error("heard only a part of " + std::string{line.substr(0, 80)});
        }
        std::uint64_t& next = received_[who];
        if (who == me_) return add_error("heard itself");
        if (number < next || (number > next && missed_ == 0)) {
            return add_error("expected " + std::to_string(next) + ", heard " +
                             std::string{line.substr(0, 80)});
        }
        next = number + 1;
        ++read_;
        if (who <= regular_count) ++done_with_;
        if (length == 0) ++farewells_;
    }
    static std::uint64_t number_at(std::string_view text) {
        std::uint64_t value = 0;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    }
    static std::uint64_t next_number(std::string_view& rest) {
        const std::uint64_t value = number_at(rest);
        rest.remove_prefix(std::min(rest.size(), rest.find(' ')));
        if (!rest.empty()) rest.remove_prefix(1);
        return value;
    }

    storm& storm_;
    session socket_;
    dice dice_;
    bool slow_;
    member_id me_;
    std::uint64_t spoken_ = 0;
    std::string out_;
    std::string had_;
    std::unordered_map<member_id, std::uint64_t> received_;
    std::atomic<std::uint64_t> done_with_ = 0;
    std::atomic<std::size_t> farewells_ = 0;
    std::uint64_t read_ = 0;
    std::uint64_t missed_ = 0;
    bool said_farewell_ = false;
    bool saw_the_end_ = false;
    bool lost_ = false;
};

/// One short session: says something, and leaves well or badly.
void short_session(storm& all, dice& d, shard_port port) {
    session g{port};
    const member_id me = all.newcomer();
    std::uint64_t spoken = 0;
    for (std::size_t messages = d.below(20); messages > 0 && !all.is_over();) {
        if (!all.may_speak()) {
            std::this_thread::sleep_for(1ms);
            continue;
        }
        --messages;
        if (d.below(8) == 0) g.say("/join elsewhere\n/who\nhello?\n/join lobby");
        g.say(message(me, spoken++, d.length()));
        static_cast<void>(test::read_what_is_there(g.fd()));
    }
    const std::string half = message(me, spoken, 100);
    switch (d.below(6)) {
        case 0: g.say("/quit"); break;
        case 1: g.say("exit"); break;
        case 2: g.finish(); break;
        case 3:
            // What has no end when everything ends is a message, too.
            ++spoken;
            g.send(half);
            break;
        case 4: g.send(half.substr(0, half.size() / 2)); return g.reset();
        default: return g.reset();
    }
    g.finish();
    const auto last = g.lines_to_end().back();
    if (last == "(end)") return all.expect(me, spoken);
    // It was reset for its own input came too late to be read; what it had said is received or not.
    if (last != "(reset)") all.add_error("a visitor was left with " + last);
}

class chat_storm : public chat_test {};
INSTANTIATE_TEST_SUITE_P(on, chat_storm, ::testing::ValuesIn(every_chat()), chat_name);

TEST_P(chat_storm, all_receive_every_message_once_in_order_and_whole) {
    allowed().framing = wire::framing::line;
    allowed().max_line = longest;
    allowed().history = 0;
    // Announcements would be missed lines, too.
    allowed().presence = 0;
    const std::uint64_t seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    storm all;
    std::vector<std::unique_ptr<regular>> regulars;
    for (std::size_t i = 0; i < regular_count; ++i) {
        regulars.push_back(
            std::make_unique<regular>(all, host().port(i), seed + i, i < slow_count));
    }
    // Who is greeted is in the lobby; that a shard listens to it is known once all have answered.
    static_cast<void>(host().counted());
    session last = come(0);
    EXPECT_THAT(last.line(), ::testing::StartsWith("* welcome"));
    std::vector<std::thread> threads;
    for (const auto& r : regulars) threads.emplace_back([&r] { r->talk_and_listen(); });
    std::vector<std::thread> short_clients;
    for (std::size_t i = 0; i < short_client_count; ++i) {
        short_clients.emplace_back([&, i] {
            dice d{seed + 1000 + i};
            while (!all.is_over()) short_session(all, d, host().port(d.below(2)));
        });
    }
    std::thread reads_along{[&last] {
        while (!session::is_over(last.line())) {
        }
    }};
    std::this_thread::sleep_for(how_long());
    all.end();
    for (auto& v : short_clients) v.join();
    // Behind everything else there is, so that also those who missed the farewells receive it.
    while (regulars.back()->farewells() < regular_count - 1 && all.errors().empty()) {
        std::this_thread::sleep_for(1ms);
    }
    while (host().counted().members > regular_count + 1) std::this_thread::sleep_for(1ms);
    last.say(the_end);
    for (auto& t : threads) t.join();
    last.finish();
    reads_along.join();

    EXPECT_THAT(all.errors(), ::testing::IsEmpty());
    // Of the messages of reset clients, members that missed nothing have received the same.
    std::map<member_id, std::uint64_t> total = all.expected();
    for (const auto& [who, messages] : regulars.back()->received()) total.emplace(who, messages);
    std::uint64_t everything = 0;
    for (const auto& [who, messages] : total) everything += messages;
    EXPECT_GT(everything, 100U);
    for (const auto& r : regulars) {
        const std::uint64_t own = total[r->me()];
        EXPECT_EQ(r->read() + r->missed(), everything - own) << r->me();
        if (r->slow()) continue;
        EXPECT_EQ(r->missed(), 0U) << r->me();
        for (const auto& [who, messages] : total) {
            if (who == r->me() || messages == 0) continue;
            const auto received = r->received().find(who);
            EXPECT_EQ(received == r->received().end() ? 0 : received->second, messages)
                << r->me() << " of " << who;
        }
    }
    RecordProperty("messages", static_cast<int>(everything));
    RecordProperty("missed_by_a_slow_one", static_cast<int>(regulars[0]->missed()));
}

}  // namespace
}  // namespace sluice::chat
