// Implements the chat of a server: its options, and its service; and `sluice chat serve`.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/chat/server/chat_service.hpp"
#include "sluice/cli/access_log.hpp"
#include "sluice/cli/auth/names.hpp"
#include "sluice/cli/message_options.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/part.hpp"
#include "sluice/cli/service_counters.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::cli {
namespace {

struct chat_settings {
    chat::limits allowed;
    std::chrono::milliseconds write_deadline{60'000};
    std::optional<std::uint64_t> rate;
    std::optional<std::uint64_t> burst;
    std::optional<std::uint64_t> command_rate;
    std::vector<std::string> operators;
    bool stats = false;
};

/// Why the window is too small, a sentence without its full stop; empty if it is not.
std::string why_no_window(const chat::limits& l, const part_name& name) {
    // A line with its control characters escaped can be four times as long.
    const std::size_t least = 8 * l.max_line;
    if (l.window >= least) return {};
    return fmt::format("{} {} is too small for {} {}; give it at least {}", name.flag("window"),
                       wire::format_size(l.window), name.flag("max-line"),
                       wire::format_size(l.max_line), wire::format_size(least));
}

/// The limits of a chat with those options; each chosen rate replaces the usual burst, too.
chat::limits limits_of(const chat_settings& s, const serve_options& common) {
    constexpr std::uint64_t usual_burst = 10;
    chat::limits l = s.allowed;
    l.max_clients = common.max_clients;
    l.write_deadline = s.write_deadline;
    if (s.rate) l.rate = static_cast<double>(*s.rate);
    if (s.rate || s.burst) l.burst = static_cast<double>(s.burst.value_or(usual_burst));
    if (s.command_rate) {
        l.command_rate = static_cast<double>(*s.command_rate);
        l.command_burst = static_cast<double>(std::max(*s.command_rate, usual_burst));
    }
    return l;
}

reading<std::uint64_t> read_private_limit(std::string_view text) {
    constexpr std::uint64_t most = std::uint64_t{1} << 24;
    auto size = read_size(text);
    if (size && (*size == 0 || *size > most)) {
        return std::unexpected{in_quotes(text) + " is no limit on private lines; write 1 to 16M"};
    }
    return size;
}

reading<std::uint64_t> read_window(std::string_view text) {
    constexpr std::uint64_t least = std::uint64_t{4} << 10;
    constexpr std::uint64_t most = std::uint64_t{1} << 32;
    auto size = read_size(text);
    if (size && (*size < least || *size > most)) {
        return std::unexpected{in_quotes(text) + " is no window of a room; write 4K to 4G"};
    }
    return size;
}

class chat_part final : public one_door_part {
 public:
    explicit chat_part(part_name called)
        : one_door_part{std::move(called), "chat", usual_address} {}

    static constexpr auto usual_address = "127.0.0.1:5000";

    void add_options(CLI::App& command) override;
    [[nodiscard]] std::optional<std::string> why_not(const serve_options& common,
                                                     const pairing& pair) const override;
    [[nodiscard]] std::expected<served, refusal> open(const part_context& context) override;
    [[nodiscard]] std::vector<std::string_view> take_over(const part& fresh,
                                                          const serve_options& common) override;

 private:
    chat_settings settings_;
    transcript_on_stdout shown_;
    std::unique_ptr<chat::registry> accounts_;
    std::unique_ptr<chat::chat_service> chat_;
};

void chat_part::add_options(CLI::App& command) {
    constexpr std::array<std::pair<std::string_view, chat::slow_policy>, 2> policies{
        {{"skip", chat::slow_policy::skip}, {"disconnect", chat::slow_policy::disconnect}}};
    constexpr std::uint64_t many = 1'000'000;
    auto& s = settings_;
    chat::limits& l = s.allowed;
    const auto flag = [this](std::string_view option) { return name().flag(option); };
    add_address(command, "people talk");
    add_framing_option(command, l.framing, flag("framing"));
    add_value(command, flag("slow"), l.slow, one_of{policies}, "WHAT",
              "Becomes of who reads too slowly: skip or disconnect (skip)");
    add_value(command, flag("window"), l.window, read_window, "SIZE",
              "What a room keeps of its lines (1M)");
    add_value(command, flag("history"), l.history, count_from{0, many}, "N",
              "Lines that a newcomer is shown (100)");
    add_max_line_option(command, l.max_line, "line", flag("max-line"));
    add_value(command, flag("max-rooms"), l.max_rooms, count_from{1, many}, "N",
              "Rooms at a time (1000)");
    add_value(command, flag("max-private"), l.max_private, read_private_limit, "SIZE",
              "Replies and private lines that wait for a member (64K)");
    add_value(command, flag("rate"), s.rate, count_from{0, many}, "N",
              "Lines a second from a member, 0 for any number (100000)");
    add_value(command, flag("burst"), s.burst, count_from{1, many}, "N",
              "Lines at once beyond --rate (10; 200000 without --rate)");
    add_value(command, flag("command-rate"), s.command_rate, count_from{0, many}, "N",
              "Commands a second from a member, 0 for any number (50)");
    add_list(command, flag("operators"), s.operators, why_no_account, "NAME",
             "Accounts of --auth that may send members away: /kick, /ban, /mute, /topic, /key");
    add_value(command, flag("presence"), l.presence, count_from{0, many}, "N",
              "Largest room that is told who comes and goes (500)");
    add_value(command, flag("write-deadline"), s.write_deadline, read_duration, "TIME",
              "How long a member may take nothing while something waits (60s)");
    command.add_flag(flag("stats"), s.stats, "Print the counters at the end");
}

std::optional<std::string> chat_part::why_not(const serve_options& common,
                                              const pairing& pair) const {
    if (pair.model != model_kind::event && !name().is_alone()) {
        return fmt::format(
            "--model {} cannot carry a chat beside the rest; leave it out, or serve "
            "each by its own command",
            to_text(pair.model));
    }
    if (pair.model != model_kind::event) {
        const auto asked = common.model ? fmt::format("--model {}", to_text(*common.model))
                                        : std::string{"--engine blocking"};
        return fmt::format(
            "{} cannot carry a chat, where everybody hears everybody at any time; "
            "use --model event, on epoll or uring",
            asked);
    }
    if (auto why = why_no_door(common)) return why;
    if (auto why = why_no_window(settings_.allowed, name()); !why.empty()) return why;
    if (!settings_.operators.empty() && !common.auth.on()) {
        return fmt::format("{} names accounts, and there are none; name their file with --auth",
                           name().flag("operators"));
    }
    return std::nullopt;
}

std::expected<served, refusal> chat_part::open(const part_context& context) {
    if (context.who != nullptr) {
        accounts_ = std::make_unique<chat::registry>(
            door_with_right(context.who, "chat", "talk in the chat"), settings_.operators);
    }
    const auto& common = context.common;
    const bool shows = !common.quiet && settle_standard_streams().out;
    chat_ = std::make_unique<chat::chat_service>(
        chat::chat_service::options{.allowed = limits_of(settings_, common),
                                    .shards = model::workers_of(common.workers),
                                    .seen = shows ? &shown_ : nullptr,
                                    .accounts = accounts_.get(),
                                    .access = access_log_of(common.access, context.model)});
    const count_function count = [this](metrics::collection& to) {
        collect_as_own(to, [this](metrics::collection& own) { collect(own, *chat_); });
    };
    return served{.listeners = {{.where = address(common),
                                 .state = chat_->state(),
                                 .what = name().title("chat"),
                                 .flag = address_flag(),
                                 .visitors = "talk in the chat",
                                 .needs_open = true}},
                  .after = settings_.stats ? announcing(count) : std::function<void()>{},
                  .count = count};
}

std::vector<std::string_view> chat_part::take_over(const part& fresh, const serve_options& common) {
    chat_->set_limits(limits_of(static_cast<const chat_part&>(fresh).settings_, common));
    return {"history", "max-rooms", "max-private",  "presence",
            "rate",    "burst",     "command-rate", "write-deadline"};
}

}  // namespace

std::unique_ptr<part> make_chat_part(part_name name) {
    return std::make_unique<chat_part>(std::move(name));
}

void add_chat_serve(commands& all, CLI::App& chat) {
    auto* command = chat.add_subcommand("serve", "Let everybody who connects talk with all others");
    auto server = std::make_shared<server_command>();
    server->add(*command, make_chat_part({}));
    server->common.listen = chat_part::usual_address;
    add_serve_options(*command, server->common);
    all.on(*command, [&all, server] { return server->run(all); }, server);
}

}  // namespace sluice::cli
