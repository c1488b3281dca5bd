// The world of files: uploads, downloads and removals, while the server crashes, the power fails
// and the disk does, too.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
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

/// The machine of a server: its disk, its process, and what both go through.
class files_machine {
 public:
    explicit files_machine(stage& s)
        : s_{s},
          shape_{draw_shape(s)},
          ledger_{s},
          scene_{.s = s, .ledger = ledger_, .patience = one_at_a_time() ? 30s : 3s} {
        auto& chance = s.chance();
        options_.allow_delete = true;
        options_.head_time = milliseconds{chance.between(500, 2000)};
        options_.idle_time = milliseconds{chance.between(500, 2000)};
        options_.body_time = milliseconds{chance.between(1000, 3000)};
        options_.min_rate = chance.chance(0.5) ? 0 : 16;
        const bool on_uring =
            shape_.model == model::kind::event && shape_.engine == io::engine_kind::uring;
        options_.receive = transfer::to_file_names[chance.below(on_uring ? 7 : 5)].second;
        if (on_uring) options_.send = uring_strategies[s.how().seed % uring_strategies.size()];
        if (chance.chance(0.5)) {
            store_options_.quota =
                static_cast<std::uint64_t>(chance.log_uniform(20'000, 3'000'000));
            scene_.may_be_full = true;
        }
        store_options_.partial.age = std::chrono::seconds{chance.between(1, 100)};
        store_options_.partial.count = chance.chance(0.3) ? 2 : 1000;
        make_disk(chance);
        start_server();
    }

    [[nodiscard]] files_scene& scene() noexcept { return scene_; }
    [[nodiscard]] bool one_at_a_time() const noexcept { return shape_.model == model::kind::sync; }

    /// Checks what must hold at any moment.
    void look(std::string_view when) {
        ledger_.check_disk(directory, when);
        const auto bytes = ledger_.bytes_on_disk(directory);
        // A removal that was not acknowledged may be undone by a power loss.
        allowed_ = std::max(store_options_.quota, std::min(allowed_, bytes));
        s_.require(bytes <= allowed_, fmt::format("{}: {} bytes are stored, of a quota of {}", when,
                                                  bytes, store_options_.quota));
    }

    /// Lets the load run for `time`, with looks between.
    void pass(milliseconds time) {
        for (const auto until =
                 s_.kernel().scheduler().now() + std::chrono::nanoseconds{time}.count();
             s_.kernel().scheduler().now() < until;) {
            s_.pass(milliseconds{s_.chance().between(1, 500)});
            look("under load");
        }
    }

    /// The server's process ends in some call; perhaps the power fails, too. It starts again.
    void crash() {
        auto& chance = s_.chance();
        auto& kernel = s_.kernel();
        constexpr std::uint64_t most_calls = 300;
        auto left = 1 + chance.below(most_calls);
        kernel.before_call([this, &left] {
            if (&s_.kernel().current() != server_) return;
            if (left > 0 && --left == 0) server_->crash();
        });
        for (int i = 0; i < 200 && !server_->over(); ++i) s_.pass(5ms);
        kernel.before_call({});
        if (!server_->over()) server_->crash();
        store_ = nullptr;
        ledger_.server_died();
        if (chance.chance(0.6)) {
            kernel.power_loss();
            ++scene_.power_losses;
            allowed_ = std::numeric_limits<std::uint64_t>::max();
            look("after a power loss");
        } else {
            look("after a crash");
        }
        start_server();
    }

    void heal() {
        s_.heal();
        scene_.healed_at = ledger_.now();
    }

    /// Removes every file and part, and finds that nothing is left, on the disk and of the quota.
    void remove_all(std::chrono::seconds soon) {
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
            soon, "all files are removed", [&] { return empty; },
            [&] { return ledger_.names_on_disk(directory); });
        s_.within(
            soon, "the quota is back at zero",
            [&] { return !store_->room().is_limited() || store_->room().taken() == 0; },
            [&] { return fmt::format("{} bytes", store_->room().taken()); });
    }

    /// Ends the server, then another one of the same directory: nothing is left.
    void stop() {
        stop_and_check(s_, *server_, shape_);
        start_server();
        s_.pass(1s);
        stop_and_check(s_, *server_, shape_);
        const auto names = ledger_.names_on_disk(directory);
        s_.require(names.empty(), fmt::format("after the end there are left: {}", names));
    }

 private:
    void make_disk(sim::random& chance) {
        auto& disk = s_.kernel().disk();
        sim::disk_options o;
        o.unnamed_files = chance.chance(0.7);
        o.links_by_descriptor = chance.chance(0.5);
        o.renames_without_replacing = chance.chance(0.7);
        o.hard_links = chance.chance(0.7);
        o.extended_attributes = chance.chance(0.8);
        disk.set_options(o);
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
        if (chance.chance(0.5)) disk.faults() = sim::disk_faults::draw(chance);
    }

    void start_server() {
        server_ = &s_.start("server", [this] {
            // As the program does.
            os::set_signal_action(SIGPIPE, SIG_IGN);
            for (;;) {
                auto opened = files::store::open(directory, store_options_);
                if (!opened) {
                    wait_a_while();
                    continue;
                }
                store_ = &*opened;
                files::part_sweeper sweeper{opened->partials(), 500ms};
                files::raw_service raw{
                    &*opened,
                    {.how = options_.receive,
                     .idle_time = options_.idle_time,
                     .pace = {.window = options_.body_time, .bytes_a_second = options_.min_rate},
                     .report = {}}};
                files::http_service http{*opened, options_};
                serve(s_, shape_, [&] {
                    return std::vector<door>{
                        {.port = files_scene::http_port, .serve = http.service()},
                        {.port = files_scene::raw_port, .serve = raw.service()}};
                });
                return;
            }
        });
    }

    stage& s_;
    server_shape shape_;
    file_ledger ledger_;
    files_scene scene_;
    files::http_options options_;
    files::store::options store_options_;
    sim::process* server_ = nullptr;
    files::store* store_ = nullptr;
    std::uint64_t allowed_ = 0;  // bytes that may be stored
};

}  // namespace

void files(stage& s) {
    auto& chance = s.chance();
    files_machine machine{s};
    std::vector<std::unique_ptr<files_client>> clients;
    for (std::size_t i = 0, all = s.draw_clients(1, 4); i < all; ++i) {
        clients.push_back(std::make_unique<files_client>(
            machine.scene(), i, static_cast<unsigned>(chance.between(1, 8))));
        s.start(fmt::format("client {}", i), [client = clients.back().get()] { client->run(); });
    }
    machine.pass(milliseconds{chance.between(10, 5000)});
    for (auto left = chance.chance(0.7) ? chance.between(1, 4) : 0; left > 0; --left) {
        machine.crash();
        machine.pass(milliseconds{chance.between(10, 5000)});
    }
    machine.heal();
    const auto unfinished = [&] {
        std::string names;
        for (const auto& each : clients) {
            if (!each->done()) names += each->state();
        }
        return names;
    };
    // Under the sync model a client waits for those before it, until the server's limits end them.
    const auto soon = machine.one_at_a_time() ? 120s : 20s;
    s.within(soon, "all transfers complete", [&] { return unfinished().empty(); }, unfinished);
    machine.look("at the end");
    machine.remove_all(soon);
    machine.stop();
}

}  // namespace sluice::worlds
