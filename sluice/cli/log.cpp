// Implements the log: text with spdlog, JSON with a document per line.
#include "sluice/cli/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/spdlog.h>
// In this order, for a mutex that the library is not built for.
// clang-format off
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/base_sink-inl.h>
// clang-format on

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "sluice/cli/output_queue.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/term/colour.hpp"

namespace sluice::cli {
namespace {

constexpr std::array<std::pair<log_level, spdlog::level::level_enum>, 6> spdlog_levels{
    {{log_level::trace, spdlog::level::trace},
     {log_level::debug, spdlog::level::debug},
     {log_level::info, spdlog::level::info},
     {log_level::warn, spdlog::level::warn},
     {log_level::error, spdlog::level::err},
     {log_level::off, spdlog::level::off}}};

spdlog::level::level_enum of(log_level level) {
    return spdlog_levels[static_cast<std::size_t>(level)].second;
}

constexpr std::string_view name_of(log_level level) {
    constexpr std::array<std::string_view, 6> names{"trace",   "debug", "info",
                                                    "warning", "error", "off"};
    return names[static_cast<std::size_t>(level)];
}

/// A spdlog sink that writes to the output queue.
class queue_sink final : public spdlog::sinks::base_sink<os::mutex> {
 public:
    explicit queue_sink(bool colour) noexcept : colour_{colour} {}

 private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        const std::string_view text{line.data(), line.size()};
        const auto from = message.color_range_start;
        const auto to = message.color_range_end;
        if (!colour_ || to <= from) return output().add(stream::err, text);
        output().add(stream::err,
                     fmt::format("{}{}{}\033[m{}", text.substr(0, from), colour_of(message.level),
                                 text.substr(from, to - from), text.substr(to)));
    }
    void flush_() override {}

    static std::string_view colour_of(spdlog::level::level_enum level) noexcept {
        switch (level) {
            case spdlog::level::warn: return "\033[33m\033[1m";
            case spdlog::level::err: return "\033[31m\033[1m";
            case spdlog::level::info: return "\033[32m";
            default: return "\033[36m";
        }
    }

    bool colour_;
};

std::shared_ptr<spdlog::logger> make_logger(log_level least) {
    auto made = std::make_shared<spdlog::logger>(
        "sluice", std::make_shared<queue_sink>(term::may_colour(stderr)));
    made->set_level(of(least));
    made->set_pattern("%Y-%m-%d %H:%M:%S.%e%z %^%l%$: %v");
    return made;
}

struct state {
    log_format format = log_format::text;
    std::atomic<log_level> least = log_level::info;
    std::shared_ptr<spdlog::logger> logger = make_logger(log_level::info);
};

state& current() {
    static state only;
    return only;
}

/// A log line in JSON; the fields of `more` follow the message.
std::string json_line(log_level level, std::string_view message,
                      const nlohmann::ordered_json& more = nlohmann::ordered_json::object()) {
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(os::wall_clock_now());
    nlohmann::ordered_json line;
    line["time"] =
        fmt::format("{:%FT%T}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                    now.time_since_epoch().count() % 1000);
    line["level"] = name_of(level);
    line["message"] = message;
    line.update(more);
    return json_text(line);
}

std::string notice_of_lost_lines(std::uint64_t lines) {
    const auto words = fmt::format("{} lines of the log were not written: it was not read", lines);
    if (current().format == log_format::json) return json_line(log_level::warn, words);
    return fmt::format("warning: {}\n", words);
}

}  // namespace

void set_up_log(log_level least, log_format format) {
    current().format = format;
    current().logger = make_logger(least);
    set_log_level(least);
    output().set_notice(stream::err, notice_of_lost_lines);
}

bool logs(log_level level) noexcept {
    return level >= current().least;
}

void set_log_level(log_level least) noexcept {
    current().least = least;
    current().logger->set_level(of(least));
}

void log(log_level level, std::string_view message) {
    if (current().format == log_format::text) {
        return current().logger->log(os::wall_clock_now(), spdlog::source_loc{}, of(level),
                                     spdlog::string_view_t{message.data(), message.size()});
    }
    if (level >= current().least) output().add(stream::err, json_line(level, message));
}

void announce(std::string_view message) {
    const bool json = current().format == log_format::json;
    output().add(stream::err,
                 json ? json_line(log_level::info, message) : std::string{message} + '\n');
}

exit_status log_failure(std::string_view why) {
    log(log_level::error, why);
    return exit_status::failed;
}

exit_status announce_failure(std::string_view why, exit_status status) {
    announce(fmt::format("sluice: {}", why));
    return status;
}

void announce_counters(std::string_view what, std::span<const counter> counters) {
    if (current().format == log_format::json) {
        nlohmann::ordered_json more;
        more["of"] = what;
        for (const auto& c : counters) more["counters"][std::string{c.name}] = c.value;
        return output().add(stream::err, json_line(log_level::info, "counters", more));
    }
    std::string text = fmt::format("counters\n  {}", what);
    for (const auto& c : counters) {
        text += fmt::format("\n  {:<18}{:>16}  {}", c.name, c.value, c.description);
    }
    announce(text);
}

}  // namespace sluice::cli
