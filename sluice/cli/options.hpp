// Parsers of option values: addresses, durations, sizes, counts, choices.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "sluice/cli/text.hpp"

namespace sluice::cli {

/// A value, or why the text is not one: a sentence without its full stop that says what to write.
template <class T>
using reading = std::expected<T, std::string>;

/// HOST:PORT, [V6]:PORT or PORT. Checks only the form: net::resolve, which blocks and has errors of
/// its own, resolves the name when it is used.
[[nodiscard]] reading<std::string> read_address(std::string_view text);

/// `5` and `5s` are seconds; `500ms`, `2m`, `1h`.
[[nodiscard]] reading<std::chrono::milliseconds> read_duration(std::string_view text);

/// Bytes: `65536`, `64K`, `1M`, `2G`, in powers of 1,024.
[[nodiscard]] reading<std::uint64_t> read_size(std::string_view text);

/// A whole number within limits: `add_value(app, "--workers", n, count_from{1, 1024}, ...)`.
struct count_from {
    std::uint64_t least;
    std::uint64_t most;
    [[nodiscard]] reading<std::uint64_t> operator()(std::string_view text) const;
};

/// A number within limits that may have a fraction. The error is the text and `why_not`, such as
/// "is no time; write seconds, as in 0.5".
struct number_from {
    double least;
    double most;
    std::string_view why_not;
    [[nodiscard]] reading<double> operator()(std::string_view text) const;
};

/// The same for a share, with limits in percent: `2%` and `2` give 0.02.
struct percent_from {
    double least;
    double most;
    std::string_view why_not;
    [[nodiscard]] reading<double> operator()(std::string_view text) const;
};

/// A word out of a few: `one_of{std::array{std::pair{"skip"sv, slow::skip}, ...}}`.
template <class T, std::size_t N>
struct one_of {
    std::array<std::pair<std::string_view, T>, N> choices;

    [[nodiscard]] reading<T> operator()(std::string_view text) const {
        std::array<std::string_view, N> names;
        for (std::size_t i = 0; i < N; ++i) {
            if (choices[i].first == text) return choices[i].second;
            names[i] = choices[i].first;
        }
        return std::unexpected{in_quotes(text) + " is none of " + listed(names, "and")};
    }
};

/// Adds the option or positional `name` to `app`. `reader` parses its text, or returns an error;
/// the last of several values wins. `into` must outlive the parsing and keeps its value if the
/// option is not given. `placeholder` stands for the value in the help.
template <class T, class Reader>
CLI::Option* add_value(CLI::App& app, const std::string& name, T& into, Reader reader,
                       const std::string& placeholder, const std::string& description) {
    auto take = [&into, reader, name](const CLI::results_t& texts) {
        auto value = reader(texts.back());
        if (!value) throw CLI::ValidationError{name, value.error()};
        into = static_cast<T>(std::move(*value));
        return true;
    };
    return app.add_option(name, CLI::callback_t{take}, description)
        ->type_name(placeholder)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

}  // namespace sluice::cli
