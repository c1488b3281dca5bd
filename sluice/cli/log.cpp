// Writes the log with spdlog.
#include "sluice/cli/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "sluice/cli/terminal.hpp"

namespace sluice::cli {
namespace {

constexpr std::array<std::pair<log_level, spdlog::level::level_enum>, 6> levels{
    {{log_level::trace, spdlog::level::trace},
     {log_level::debug, spdlog::level::debug},
     {log_level::info, spdlog::level::info},
     {log_level::warn, spdlog::level::warn},
     {log_level::error, spdlog::level::err},
     {log_level::off, spdlog::level::off}}};

spdlog::level::level_enum of(log_level level) {
    return levels[static_cast<std::size_t>(level)].second;
}

/// The message as a JSON string.
class json_message final : public spdlog::custom_flag_formatter {
 public:
    void format(const spdlog::details::log_msg& message, const std::tm& /*when*/,
                spdlog::memory_buf_t& into) override {
        const nlohmann::json text = std::string{message.payload.data(), message.payload.size()};
        const auto line = text.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        into.append(line.data(), line.data() + line.size());
    }
    [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<json_message>();
    }
};

std::shared_ptr<spdlog::logger> make_logger(log_level least, log_format format) {
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(
        may_colour(stderr) ? spdlog::color_mode::always : spdlog::color_mode::never);
    auto made = std::make_shared<spdlog::logger>("sluice", std::move(sink));
    made->set_level(of(least));
    if (format == log_format::json) {
        auto lines = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
        lines->add_flag<json_message>('*').set_pattern(
            R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%*})");
        made->set_formatter(std::move(lines));
    } else {
        made->set_pattern("%H:%M:%S.%e %^%l%$: %v");
    }
    return made;
}

struct state {
    log_format format = log_format::text;
    std::shared_ptr<spdlog::logger> logger = make_logger(log_level::info, log_format::text);
};

state& current() {
    static state only;
    return only;
}

}  // namespace

void set_up_log(log_level least, log_format format) {
    current() = {format, make_logger(least, format)};
}

void log(log_level level, std::string_view message) {
    current().logger->log(of(level), spdlog::string_view_t{message.data(), message.size()});
}

void announce(std::string_view message) {
    if (current().format == log_format::json) {
        make_logger(log_level::info, log_format::json)
            ->info(spdlog::string_view_t{message.data(), message.size()});
        return;
    }
    // One write, so that the line stays whole beside those of other threads.
    const auto line = std::string{message} + '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace sluice::cli
