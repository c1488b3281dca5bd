// A chat's client at a server that says any bytes, in any split: it shows the same, and ends the
// same way.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz/door.hpp"
#include "sluice/base/check.hpp"
#include "sluice/chat/client/chat_client.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::chat_client_target {
namespace {

/// A user who says one line, and what it sees.
class user final : public chat::chat_ui {
 public:
    coro::task<result<std::optional<std::string>>> next_line() override {
        if (std::exchange(has_spoken_, true)) co_return std::nullopt;
        co_return std::string{"hello"};
    }
    coro::task<result<void>> show(std::string_view line) override {
        seen_.append(line).append("\n");
        co_return result<void>{};
    }
    void report_event(std::string_view what) override { remember(what); }
    void report_error(std::string_view what) override { remember(what); }
    coro::task<void> run() override { co_return; }
    coro::task<void> finish() override { co_return; }
    [[nodiscard]] bool is_typed() const noexcept override { return false; }

    [[nodiscard]] const std::string& seen() const noexcept { return seen_; }

 private:
    void remember(std::string_view what) {
        check(wire::is_printable(what), "a note that a terminal obeys");
        seen_.append("! ").append(what).append("\n");
    }

    std::string seen_;
    bool has_spoken_ = false;
};

struct outcome {
    std::string seen;
    chat::chat_end how = chat::chat_end::failed;
    friend bool operator==(const outcome&, const outcome&) = default;
};

outcome attend(wire::framing mode, const fuzz::stream& said) {
    outcome o;
    fuzz::let_hear(said, [&] {
        const auto engine = io::make_engine(io::engine_kind::epoll).value();
        user ui;
        chat::chat_client chat{*engine,
                               {net::address::loopback(worlds::usual_port)},
                               ui,
                               {.framing = mode, .max_line = 200, .nick = "ann", .room = "x"}};
        o.how = io::run(*engine, chat.run());
        o.seen = ui.seen();
    });
    return o;
}

}  // namespace

/// The fourth bit of the first byte: lines alone, instead of what the server is seen to speak.
void examine(std::string_view input) {
    const bool lines = !input.empty() && (static_cast<unsigned char>(input.front()) & 8U) != 0;
    const auto mode = lines ? wire::framing::line : wire::framing::automatic;
    static_cast<void>(same_for_any_split(
        stream::of(input), [mode](const stream& said) { return attend(mode, said); }));
}

}  // namespace sluice::fuzz::chat_client_target
