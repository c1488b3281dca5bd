// The workload of the chat, and its world: rooms, members of all manners, and what each of them is
// owed.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/chat/server/chat_service.hpp"
#include "tests/worlds/chat_joiner.hpp"
#include "tests/worlds/chat_members.hpp"
#include "tests/worlds/server.hpp"
#include "tests/worlds/waiting.hpp"
#include "tests/worlds/workload.hpp"
#include "tests/worlds/worlds.hpp"

namespace sluice::worlds {
namespace {

using namespace std::chrono_literals;

// A peer that is gone without a word is noticed by keepalive or by retransmission in two minutes.
constexpr auto until_gone_is_noticed = 130s;
// A client of ours hangs up after a minute of silence, and then calls again.
constexpr auto until_a_joiner_is_back = 90s;
constexpr auto soon = 10s;

template <class T>
T one_of(sim::random& chance, std::initializer_list<T> values) {
    return values.begin()[chance.below(values.size())];
}

chat::limits draw_limits(sim::random& chance) {
    return {.framing = wire::framing::line,
            .slow = chance.chance(0.3) ? chat::slow_policy::disconnect : chat::slow_policy::skip,
            .window = one_of<std::size_t>(chance, {1, 16'384, 1U << 20}),
            .history = one_of<std::size_t>(chance, {0, 3, 100}),
            .max_line = one_of<std::size_t>(chance, {100, 1000, 4096}),
            .max_private = one_of<std::size_t>(chance, {16'384, 65'536}),
            .presence = chance.chance(0.2) ? 2U : 500U,
            .rate = one_of(chance, {0.0, 30.0, 100'000.0}),
            .burst = one_of(chance, {10.0, 200.0}),
            .command_rate = one_of(chance, {0.0, 10.0, 50.0}),
            .command_burst = one_of(chance, {20.0, 200.0}),
            .commands_a_turn = one_of<std::size_t>(chance, {1, 4, 32}),
            .introduction = std::chrono::milliseconds{one_of(chance, {0, 50, 500})},
            .write_deadline = std::chrono::seconds{chance.between(2, 30)}};
}

/// The chat, its clients, and what the director asks about them.
class crowd {
 public:
    crowd(stage& s, const chat::limits& allowed, std::size_t shards, std::uint16_t port)
        : scene_{.s = s,
                 .record = chat_record{s},
                 .rules = {.settles_after = shards == 1 ? 0 : 11 * sim::a_second,
                           .announces_leaves = allowed.presence > 100},
                 .rooms = {"lobby", "kitchen", "hall", "\u00e9tage"},
                 .longest = allowed.max_line,
                 .port = port} {
        scene_.rooms.resize(static_cast<std::size_t>(s.chance().between(1, 4)));
    }

    [[nodiscard]] chat_scene& scene() noexcept { return scene_; }
    void come(std::size_t clients);
    /// The process of one of them ends at once.
    void lose_one();
    [[nodiscard]] const std::vector<sim::process*>& processes() const noexcept {
        return processes_;
    }
    [[nodiscard]] bool all_over() const {
        return std::ranges::all_of(processes_, [](const auto* each) { return each->over(); });
    }
    /// Who has not come to a room, or has not heard what was said there since the end of the
    /// faults; `joiners`: of those that are clients of ours, too. Empty: nobody.
    [[nodiscard]] std::string pending(bool joiners) const;
    /// A leave that somebody was not told; empty if there is none.
    [[nodiscard]] std::string unannounced() const;
    /// Members of the core that are in a room and read.
    [[nodiscard]] std::vector<const chat_attendee*> listeners() const;
    /// When nobody else says anything, a line comes as soon.
    void hear_a_pin_drop();

 private:
    struct seat {
        std::unique_ptr<chat_attendee> who;
        sim::process* process = nullptr;
        bool is_joiner = false;
    };

    [[nodiscard]] chat_member::manner draw_manner();
    [[nodiscard]] bool is_there(const seat& each) const {
        return !each.process->over() && scene_.s.is_in_core(*each.process);
    }

    chat_scene scene_;
    std::vector<seat> seats_;
    std::vector<sim::process*> processes_;
};

chat_member::manner crowd::draw_manner() {
    using reading = chat_member::reading;
    auto& chance = scene_.s.chance();
    const auto reads = chance.below(100);
    return {.reads = reads < 70   ? reading::promptly
                     : reads < 85 ? reading::slowly
                                  : reading::never,
            .ends = static_cast<chat_member::ending>(chance.below(5)),
            .restless = one_of(chance, {0.0, 0.01, 0.1}),
            .crlf = chance.chance(0.3),
            .most_lines = one_of<std::int64_t>(chance, {5, 5, 5, 50})};
}

void crowd::come(std::size_t clients) {
    stage& s = scene_.s;
    auto& chance = s.chance();
    for (std::size_t i = 0; i < clients; ++i) {
        const auto kind = chance.below(100);
        const auto name = fmt::format("client {}", i);
        if (kind < 12) {
            processes_.push_back(&s.start(
                name, [this, i, reads = chance.chance(0.5)] { flood_chat(scene_, i, reads); }));
            continue;
        }
        seat& taken = seats_.emplace_back();
        taken.is_joiner = kind < 30;
        if (taken.is_joiner) {
            taken.who = std::make_unique<chat_joiner>(
                scene_, scene_.rooms[chance.below(scene_.rooms.size())]);
        } else {
            taken.who = std::make_unique<chat_member>(scene_, draw_manner());
        }
        taken.process = &s.start(name, [&who = *taken.who] { who.live(); });
        processes_.push_back(taken.process);
        if (chance.chance(0.3)) s.pass(std::chrono::milliseconds{chance.between(1, 300)});
    }
}

void crowd::lose_one() {
    if (seats_.empty()) return;
    const auto at = scene_.s.chance().below(seats_.size());
    if (seats_[at].process->over()) return;
    seats_[at].process->crash();
    seats_[at].who->leave();
}

std::vector<const chat_attendee*> crowd::listeners() const {
    std::vector<const chat_attendee*> all;
    for (const seat& each : seats_) {
        if (is_there(each) && each.who->reads_promptly() && each.who->sits()) {
            all.push_back(each.who.get());
        }
    }
    return all;
}

std::string crowd::pending(bool joiners) const {
    std::string all;
    for (const seat& each : seats_) {
        if (!is_there(each) || !each.who->reads_promptly()) continue;
        if (each.is_joiner && !joiners) continue;
        if (!each.who->sits()) {
            all += fmt::format("{} is in no room; ", each.process->name());
            continue;
        }
        for (const seat& other : seats_) {
            if (&other == &each || !is_there(other) || !other.who->sits()) continue;
            if (!other.who->reads_promptly() || (other.is_joiner && !joiners)) continue;
            if (other.who->witness().room() != each.who->witness().room()) continue;
            if (each.who->witness().last_from(other.who->who()->number) >= scene_.healed_at) {
                continue;
            }
            all += fmt::format("speaker {} has not heard speaker {}; ", each.who->who()->number,
                               other.who->who()->number);
        }
    }
    return all;
}

std::string crowd::unannounced() const {
    std::string all;
    for (const chat_attendee* each : listeners()) {
        if (const speaker* gone = each->witness().unannounced(scene_.healed_at + sim::a_second)) {
            all += fmt::format("speaker {} was not told that speaker {} has left; ",
                               each->who()->number, gone->number);
        }
    }
    return all;
}

void crowd::hear_a_pin_drop() {
    stage& s = scene_.s;
    const auto all = listeners();
    if (all.empty()) return;
    scene_.quiet = true;
    // What was said before has come: nothing is clogged for longer than 5 s.
    s.pass(6s);
    const chat_attendee* who = all[s.chance().below(all.size())];
    if (!who->sits()) return;
    const std::size_t number = who->who()->number;
    const auto from = scene_.record.now();
    scene_.spokesman = who;
    const auto pending = [&] {
        std::string missing;
        for (const seat& each : seats_) {
            if (!is_there(each) || !each.who->sits()) continue;
            if (each.who.get() == who || !each.who->reads_promptly()) continue;
            if (each.who->witness().room() != who->witness().room()) continue;
            if (each.who->witness().last_from(number) >= from) continue;
            missing += fmt::format("speaker {}; ", each.who->who()->number);
        }
        return missing;
    };
    s.within(
        2s, "a line comes although nothing follows it", [&] { return pending().empty(); }, pending);
    scene_.quiet = false;
}

/// One client comes and goes; what is open then is what an idle server has open.
int descriptors_when_idle(stage& s, const sim::process& server) {
    s.within(soon, "the server serves", [] {
        auto first = plain_client::connect(usual_port, 1s);
        return first && first->line() && first->send("/quit\n") && first->line() && first->ended();
    });
    s.pass(5s);
    return server.open_descriptors();
}

/// What holds for memory at every moment.
class caps {
 public:
    caps(const chat::limits& allowed, std::size_t shards) noexcept : shards_{shards} {
        constexpr std::size_t page = 4096;
        // A window holds a line whose every byte is escaped.
        const auto window = std::max(allowed.window, 8 * allowed.max_line);
        window_ = (window + page - 1) / page * page;
    }
    void check(const stage& s, const chat::counters& now) const {
        constexpr std::size_t most_names = 7;  // of members' rooms, and of the flood's
        s.require(now.log_bytes <= now.rooms * window_,
                  fmt::format("{} rooms keep {} bytes, and a window has {}", now.rooms.get(),
                              now.log_bytes.get(), window_));
        s.require(now.rooms <= most_names * shards_,
                  fmt::format("there are {} rooms", now.rooms.get()));
    }
    [[nodiscard]] std::size_t window() const noexcept { return window_; }

 private:
    std::size_t shards_;
    std::size_t window_ = 0;
};

class chat_workload final : public workload {
 public:
    chat_workload(stage& s, const server_shape& shape, std::uint16_t port)
        : s_{s},
          shards_{shape.workers},
          allowed_{draw_limits(s.chance())},
          most_{allowed_, shards_},
          // Rates end with the healing.
          until_noticed_{s.kernel().faults().gone > 0 ? until_gone_is_noticed : soon},
          crowd_{s, allowed_, shards_, port} {}

    void host(const std::function<void(std::vector<door>)>& run) override {
        service_ = std::make_unique<chat::chat_service>(
            chat::chat_service::options{.allowed = allowed_, .shards = shards_, .seen = nullptr});
        run({{.port = crowd_.scene().port, .state = service_->state()}});
    }
    void begin() override { crowd_.come(s_.draw_clients(2, 10)); }
    void look() override {
        if (service_ != nullptr) most_.check(s_, service_->counted());
    }
    /// One of the clients may end at once.
    void perhaps_lose_one() {
        if (s_.chance().chance(0.01)) crowd_.lose_one();
    }
    [[nodiscard]] std::vector<sim::process*> clients() const override { return crowd_.processes(); }
    void heal() override { crowd_.scene().healed_at = crowd_.scene().record.now(); }
    /// Every member that reads has the later lines of its room, and knows who has left it.
    void settle() override;
    /// All leave, and the server is as it was, with at most `idle_descriptors` open.
    void leave(const sim::process& server, int idle_descriptors);
    void before_stop() override {
        listeners_ = crowd_.listeners();
        crowd_.scene().stopping = true;
    }
    /// Every member that read is told, and nothing is left of anybody.
    void after_stop() override;

 private:
    [[nodiscard]] bool may_be_gone() const noexcept { return until_noticed_ != soon; }

    stage& s_;
    std::size_t shards_;
    chat::limits allowed_;
    caps most_;
    std::chrono::seconds until_noticed_;
    crowd crowd_;
    std::unique_ptr<chat::chat_service> service_;  // once the server's process has begun
    std::vector<const chat_attendee*> listeners_;
};

void chat_workload::settle() {
    for (const bool joiners : {false, true}) {
        s_.within(
            joiners ? until_a_joiner_is_back : soon,
            "every member that reads has the later lines of its room",
            [&] { return crowd_.pending(joiners).empty(); },
            [&] { return crowd_.pending(joiners); });
    }
    s_.within(
        until_noticed_, "every leave is announced", [&] { return crowd_.unannounced().empty(); },
        [&] { return crowd_.unannounced(); });
    crowd_.hear_a_pin_drop();
    look();
}

void chat_workload::leave(const sim::process& server, int idle_descriptors) {
    s_.lose_the_broken();
    crowd_.scene().leaving = true;
    s_.within(30s, "every client has left", [&] { return crowd_.all_over(); });
    const auto state = [&] {
        const auto now = service_->counted();
        return fmt::format("{} members, {} rooms of {} bytes, {} descriptors", now.members.get(),
                           now.rooms.get(), now.log_bytes.get(), server.open_descriptors());
    };
    const auto is_as_before = [&] {
        const auto now = service_->counted();
        // The lobby keeps its history.
        return now.members == 0 && now.rooms <= 1 && now.log_bytes <= most_.window() &&
               server.open_descriptors() <= idle_descriptors;
    };
    s_.within(until_noticed_, "the server is as it was before", is_as_before, state);
}

void chat_workload::after_stop() {
    const auto after = service_->counted();
    s_.require(after.members == 0 && after.log_bytes == 0,
               fmt::format("{} members and {} bytes are left after the end", after.members.get(),
                           after.log_bytes.get()));
    // One whose connection is gone without a word may not know it yet.
    if (may_be_gone()) return;
    const auto untold = [&] {
        return std::ranges::count_if(
            listeners_, [](const auto* each) { return !each->witness().heard_farewell(); });
    };
    s_.within(
        soon, "every member that reads is told that the server goes down",
        [&] { return untold() == 0; },
        [&] { return fmt::format("{} of {}", untold(), listeners_.size()); });
}

}  // namespace

std::unique_ptr<workload> make_chat_workload(stage& s, const server_shape& shape,
                                             std::uint16_t port) {
    return std::make_unique<chat_workload>(s, shape, port);
}

void chat(stage& s) {
    auto& chance = s.chance();
    const server_shape shape{.model = model::kind::event,
                             .engine = draw_engine(s),
                             .workers = static_cast<unsigned>(chance.between(1, 3)),
                             .grace = std::chrono::milliseconds{chance.between(1000, 3000)}};
    chat_workload load{s, shape, usual_port};
    sim::process& server =
        s.start("server", [&] { load.host([&](const auto& doors) { serve(s, shape, doors); }); });
    int idle_descriptors = INT_MAX;
    if (chance.chance(0.5)) {
        const sim::fault_rates faults = std::exchange(s.kernel().faults(), {});
        idle_descriptors = descriptors_when_idle(s, server);
        s.kernel().faults() = faults;
    }
    load.begin();
    for (auto left = s.draw_time(8s) / 100ms; left >= 0; --left) {
        s.pass(100ms);
        load.look();
        load.perhaps_lose_one();
    }
    s.heal(load.clients());
    load.heal();
    load.settle();
    if (chance.chance(0.4)) {
        load.before_stop();
    } else {
        load.leave(server, idle_descriptors);
    }
    stop_and_check(s, server, shape);
    load.after_stop();
}

}  // namespace sluice::worlds
