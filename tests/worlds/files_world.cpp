// The workload of files, and its world: uploads, downloads and removals, while the server crashes,
// the power fails and the disk does, too.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/files/server/http_service.hpp"
#include "sluice/files/server/raw_service.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/os/signal_action.hpp"
#include "tests/worlds/files_clients.hpp"
#include "tests/worlds/files_ledger.hpp"
#include "tests/worlds/server.hpp"
#include "tests/worlds/waiting.hpp"
#include "tests/worlds/workload.hpp"
#include "tests/worlds/worlds.hpp"

namespace sluice::worlds {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr const char* directory = "/srv/store";
// Most of what only io_uring has. (MSG_ZEROCOPY is not simulated.)
constexpr std::array uring_strategies{
    transfer::to_socket::uring_read_send_zc, transfer::to_socket::automatic,
    transfer::to_socket::uring_read_send_zc, transfer::to_socket::uring_splice,
    transfer::to_socket::uring_read_send_zc, transfer::to_socket::read_send};

/// A store on the disk, its service and its clients.
class files_workload final : public workload {
 public:
    files_workload(stage& s, const server_shape& shape)
        : s_{s},
          one_at_a_time_{shape.model == model::kind::sync},
          ledger_{s},
          scene_{.s = s, .ledger = ledger_, .patience = one_at_a_time_ ? 30s : 3s} {
        auto& chance = s.chance();
        options_.allowed = files::permissions::everything();
        options_.head_time = milliseconds{chance.between(500, 2000)};
        options_.idle_time = milliseconds{chance.between(500, 2000)};
        options_.body_time = milliseconds{chance.between(1000, 3000)};
        options_.min_rate = chance.chance(0.5) ? 0 : 16;
        const bool on_uring =
            shape.model == model::kind::event && shape.engine == io::engine_kind::uring;
        options_.receive = transfer::to_file_names[chance.below(on_uring ? 7 : 5)].second;
        if (on_uring) options_.send = uring_strategies[s.how().seed % uring_strategies.size()];
        if (chance.chance(0.5)) {
            store_options_.quota =
                static_cast<std::uint64_t>(chance.log_uniform(20'000, 3'000'000));
            scene_.may_be_full = true;
        }
        constexpr double oldest_part = 100;
        store_options_.partial.age =
            std::chrono::seconds{static_cast<std::int64_t>(chance.log_uniform(1, oldest_part))};
        store_options_.partial.count = chance.chance(0.3) ? 2 : 1000;
        make_disk(chance);
    }

    void host(const std::function<void(std::vector<door>)>& run) override {
        // As the program does.
        os::set_signal_action(SIGPIPE, SIG_IGN);
        for (;; wait_a_while()) {
            auto opened = files::store::open(directory, store_options_);
            if (!opened) continue;
            store_ = &*opened;
            files::part_sweeper sweeper{opened->partials(), 500ms};
            files::raw_service raw{&*opened,
                                   {.how = options_.receive,
                                    .idle_time = options_.idle_time,
                                    .min_rate = options_.min_rate,
                                    .body_time = options_.body_time,
                                    .report = {}}};
            files::http_service http{*opened, options_};
            run({{.port = files_scene::http_port, .serve = http.service(), .protocol = "http/1.1"},
                 {.port = files_scene::raw_port, .serve = raw.service()}});
            return;
        }
    }
    void begin() override;
    void look() override { look("under load"); }
    /// Lets the load run for `time`, with looks between.
    void pass(milliseconds time) {
        for (const auto until =
                 s_.kernel().scheduler().now() + std::chrono::nanoseconds{time}.count();
             s_.kernel().scheduler().now() < until;) {
            s_.pass(milliseconds{s_.chance().between(1, 500)});
            look();
        }
    }
    /// `server` ends in some call; perhaps the power fails, too.
    void crash(sim::process& server);
    [[nodiscard]] std::vector<sim::process*> clients() const override { return processes_; }
    void heal() override { scene_.healed_at = ledger_.now(); }
    /// All transfers complete; then all files are removed, and nothing is left.
    void settle() override;
    void after_stop() override {}
    /// After the end of another server of the same directory.
    void check_empty() const {
        const auto names = ledger_.names_on_disk(directory);
        s_.require(names.empty(), fmt::format("after the end there are left: {}", names));
    }

 private:
    [[nodiscard]] std::chrono::seconds soon() const noexcept {
        // Under the sync model a client waits for those before it, until the server's limits end
        // them.
        return one_at_a_time_ ? 120s : 20s;
    }
    /// Checks what must hold at any moment.
    void look(std::string_view when) {
        ledger_.check_disk(directory, when);
        const auto bytes = ledger_.bytes_on_disk(directory);
        // A removal that was not acknowledged may be undone by a power loss.
        allowed_ = std::max(store_options_.quota, std::min(allowed_, bytes));
        if (bytes <= allowed_) return;
        s_.fail(fmt::format("{}: {} bytes are stored, of a quota of {}: {}", when, bytes,
                            store_options_.quota, ledger_.names_on_disk(directory)));
    }

    /// Removes every file and part, and finds that nothing is left, on the disk and of the quota.
    void remove_all() {
        bool empty = false;
        s_.start("broom", [this, &empty] {
            http_speaker speaker{scene_};
            constexpr std::string_view part = ".sluice-part-";
            while (!empty) {
                const auto names = ledger_.visible_and_parts(directory);
                for (const auto& name : names) {
                    const auto target =
                        name.starts_with(part) ? "?part=" + name.substr(part.size()) : name;
                    static_cast<void>(speaker.ask(fmt::format("DELETE /{} HTTP/1.1\r\n", target)));
                }
                empty = names.empty();
                if (!empty) wait_a_while();
            }
        });
        s_.within(
            soon(), "all files are removed", [&] { return empty; },
            [&] { return ledger_.names_on_disk(directory); });
        s_.within(
            soon(), "the quota is back at zero",
            [&] { return !store_->used().is_limited() || store_->used().taken() == 0; },
            [&] { return fmt::format("{} bytes", store_->used().taken()); });
    }

    void make_disk(sim::random& chance) {
        auto& disk = s_.kernel().disk();
        sim::disk_options o;
        o.unnamed_files = chance.chance(0.7);
        o.links_by_descriptor = chance.chance(0.5);
        o.renames_without_replacing = chance.chance(0.7);
        o.hard_links = chance.chance(0.7);
        o.extended_attributes = chance.chance(0.8);
        disk.set_options(o);
        scene_.needs_digests = !o.extended_attributes;
        for (const char* each : {"/client", "/srv", directory}) {
            static_cast<void>(disk.make_folder(disk.root(), each, 0755));
        }
        constexpr std::uint64_t megabyte = 1 << 20;
        if (chance.chance(0.15)) {
            static_cast<void>(disk.add_mount(
                directory, megabyte * static_cast<std::uint64_t>(chance.between(1, 4))));
            scene_.may_be_full = true;
        }
        static_cast<void>(disk.sync_all(*disk.root()));
        disk.faults() = s_.disk_faults();
    }

    stage& s_;
    bool one_at_a_time_;
    file_ledger ledger_;
    files_scene scene_;
    files::http_options options_;
    files::store::options store_options_;
    files::store* store_ = nullptr;  // while the server's process lives
    std::uint64_t allowed_ = 0;      // bytes that may be stored
    std::vector<std::unique_ptr<files_client>> clients_;
    std::vector<sim::process*> processes_;  // of the clients
};

void files_workload::begin() {
    for (std::size_t i = 0, all = s_.draw_clients(1, 4); i < all; ++i) {
        clients_.push_back(std::make_unique<files_client>(
            scene_, i, static_cast<unsigned>(s_.chance().between(1, 8))));
        processes_.push_back(&s_.start(fmt::format("uploader {}", i),
                                       [who = clients_.back().get()] { who->run(); }));
    }
    if (s_.chance().chance(0.4)) {
        s_.start("locker", [this] { lock_names(scene_, directory); });
    }
}

void files_workload::crash(sim::process& server) {
    auto& chance = s_.chance();
    auto& kernel = s_.kernel();
    constexpr std::uint64_t most_calls = 300;
    auto left = 1 + chance.below(most_calls);
    kernel.before_call([&] {
        if (&kernel.current() == &server && left > 0 && --left == 0) server.crash();
    });
    for (int i = 0; i < 200 && !server.over(); ++i) s_.pass(5ms);
    kernel.before_call({});
    if (!server.over()) server.crash();
    store_ = nullptr;
    ledger_.server_died();
    if (!chance.chance(0.6)) return look("after a crash");
    kernel.power_loss();
    ++scene_.power_losses;
    allowed_ = std::numeric_limits<std::uint64_t>::max();
    look("after a power loss");
}

void files_workload::settle() {
    const auto unfinished = [&] {
        std::string names;
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            const bool waits = !clients_[i]->done() && s_.is_in_core(*processes_[i]);
            if (waits) names += clients_[i]->state();
        }
        return names;
    };
    s_.within(soon(), "all transfers complete", [&] { return unfinished().empty(); }, unfinished);
    look("at the end");
    s_.lose_the_broken();
    // What a client has given up may still be on its way to the disk.
    s_.pass(5s);
    remove_all();
}

}  // namespace

std::unique_ptr<workload> make_files_workload(stage& s, const server_shape& shape) {
    return std::make_unique<files_workload>(s, shape);
}

void files(stage& s) {
    auto& chance = s.chance();
    const server_shape shape = draw_shape(s);
    files_workload load{s, shape};
    const auto start = [&]() -> sim::process* {
        return &s.start("server",
                        [&] { load.host([&](const auto& doors) { serve(s, shape, doors); }); });
    };
    sim::process* server = start();
    load.begin();
    load.pass(s.draw_time(5s));
    for (auto left = chance.chance(0.7) ? chance.between(1, 4) : 0; left > 0; --left) {
        load.crash(*server);
        server = start();
        load.pass(s.draw_time(5s));
    }
    s.heal(load.clients());
    load.heal();
    load.settle();
    stop_and_check(s, *server, shape);
    // Another one of the same directory removes what the first has left.
    server = start();
    s.pass(1s);
    stop_and_check(s, *server, shape);
    load.check_empty();
}

}  // namespace sluice::worlds
