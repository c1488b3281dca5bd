// Implements the member that is sluice's own client: its user, and its process.
#include "tests/worlds/chat_joiner.hpp"

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/chat/client/chat_client.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/address.hpp"
#include "tests/worlds/secure.hpp"
#include "tests/worlds/server.hpp"
#include "tests/worlds/waiting.hpp"

namespace sluice::worlds {

using namespace std::chrono_literals;

/// Enters a line now and then until all leave, and checks each line that it is shown.
class chat_joiner::ui final : public chat::chat_ui {
 public:
    ui(io::engine& engine, chat_joiner& owner) noexcept : engine_{engine}, owner_{owner} {}
    ~ui() override = default;

    coro::task<result<std::optional<std::string>>> next_line() override {
        auto& scene = owner_.scene_;
        do {
            const auto pause = scene.healed()
                                   ? scene.pause_after_healing()
                                   : std::chrono::milliseconds{scene.s.chance().between(20, 600)};
            const auto slept = co_await io::sleep_for(engine_, pause);
            if (!slept) co_return failure(slept.error());
            // Nothing is cut any more.
            if (scene.healed()) hear_kept();
        } while (scene.quiet && !scene.leaving && !owner_.is_asked_to_speak());
        if (scene.leaving) co_return std::nullopt;
        co_return std::optional{scene.record.say(*owner_.me_, owner_.room_, scene.longest)};
    }
    coro::task<result<void>> show(std::string_view line) override {
        constexpr std::string_view farewell = "* the server is going down";
        if (line.starts_with("* welcome, ")) {
            owner_.begin();
        } else {
            hear_kept();
        }
        kept_ = line;
        if (line == farewell) hear_kept();
        co_return result<void>{};
    }
    void report_event(std::string_view what) override {
        if (!what.starts_with("calling again ")) return;
        // Lines may have been lost on their way, and the last one that came may be cut.
        owner_.me_->complete = false;
        kept_.reset();
    }
    void report_error(std::string_view) override {}
    coro::task<void> run() override { co_return; }
    coro::task<void> finish() override { co_return; }
    [[nodiscard]] bool is_typed() const noexcept override { return false; }

 private:
    void hear_kept() {
        if (kept_) owner_.witness_.hear(*std::exchange(kept_, std::nullopt));
    }

    io::engine& engine_;
    chat_joiner& owner_;
    std::optional<std::string> kept_;  // it may be cut, if nothing follows
};

void chat_joiner::begin() {
    witness_.begin(*me_);
    witness_.asks_name(me_->own_name);
    witness_.asks_room(room_);
}

void chat_joiner::live() {
    for (; !scene_.leaving; wait_a_while()) {
        auto engine = make_client_engine(scene_.s);
        if (!engine) continue;
        me_ = &scene_.record.add('j');
        begin();
        ui user{**engine, *this};
        chat::chat_client client{**engine,
                                 {net::address::loopback(scene_.port)},
                                 user,
                                 {.framing = wire::framing::line,
                                  .nick = me_->own_name,
                                  .room = room_,
                                  .over = client_tls(),
                                  .reconnect = true,
                                  .longest_pause = 1s}};
        static_cast<void>(io::run(**engine, client.run()));
        leave();
    }
}

}  // namespace sluice::worlds
