// Parsers of option values: addresses, durations, sizes, counts, choices, lists. What a parser
// knows of its values, choices and the default, is kept with the option for help, manual and
// completion.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/cli/text.hpp"

namespace sluice::cli {

/// A value, or why the text is not one: a sentence without its full stop that says what to write.
template <class T>
using reading = std::expected<T, std::string>;

/// HOST:PORT, [V6]:PORT, PORT, unix:PATH or unix:@NAME. Checks only the form: net::resolve, which
/// blocks and has errors of its own, resolves the name when it is used.
[[nodiscard]] reading<std::string> read_address(std::string_view text);

/// A duration up to a limit: `5` and `5s` are seconds; `500ms`, `2m`, `1h`, `7d`.
struct duration_up_to {
    std::chrono::milliseconds longest;
    std::string_view in_words;  ///< the limit, as in "a year"
    [[nodiscard]] reading<std::chrono::milliseconds> operator()(std::string_view text) const;
};

/// The same up to a year.
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
    [[nodiscard]] static std::string text_of(double share);
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

/// The choices of a reader, with a | between them; empty for one that is no one_of.
template <class Reader>
std::string choices_of(const Reader& /*reader*/) {
    return {};
}
template <class T, std::size_t N>
std::string choices_of(const one_of<T, N>& reader) {
    std::string all;
    for (const auto& [name, value] : reader.choices)
        all.append(all.empty() ? "" : "|").append(name);
    return all;
}

/// The text of a number.
[[nodiscard]] std::string number_text(double number);
/// `64K`: as read_size() takes it, in the largest unit that is exact; empty for the largest number,
/// which stands for no limit.
[[nodiscard]] std::string size_text(std::uint64_t bytes);
/// `60s`: as read_duration() takes it, in the largest unit of which there are two at least.
[[nodiscard]] std::string duration_text(std::chrono::milliseconds time);

/// The text that `reader` makes `value` of, by its text_of() if it has one; empty if it makes it of
/// none, such as 0 for as many as there are cores.
template <class T, class Reader>
std::string default_text(const T& value, Reader reader) {
    std::string text;
    if constexpr (requires { value.has_value(); }) {
        if (value) text = default_text(*value, reader);
    } else if constexpr (requires { value.get(); }) {
        text = default_text(value.get(), reader);
    } else if constexpr (requires { reader.choices; }) {
        for (const auto& [name, each] : reader.choices) {
            if (each == value && text.empty()) text = name;
        }
    } else if constexpr (requires { reader.text_of(value); }) {
        text = reader.text_of(value);
    } else if constexpr (std::convertible_to<T, std::string>) {
        text = value;
    } else if constexpr (std::convertible_to<T, std::chrono::nanoseconds>) {
        text = duration_text(std::chrono::duration_cast<std::chrono::milliseconds>(value));
    } else if constexpr (std::is_arithmetic_v<T> && requires { reader.least; }) {
        text = number_text(static_cast<double>(value));
    } else if constexpr (std::is_arithmetic_v<T>) {
        text = size_text(static_cast<std::uint64_t>(value));
    }
    return !text.empty() && reader(text) ? text : std::string{};
}

/// Adds the option or positional `name` to `app`. `reader` parses its text, or returns an error;
/// the last of several values wins. `into` must outlive the parsing and keeps its value if the
/// option is not given: its default. `placeholder` stands for the value in the help.
/// get_option_text() is then choices_of() the reader, and get_default_str() default_text() of the
/// value of `into` now.
template <class T, class Reader>
CLI::Option* add_value(CLI::App& app, const std::string& name, T& into, Reader reader,
                       const std::string& placeholder, const std::string& description) {
    auto take = [&into, reader, name](const CLI::results_t& texts) {
        auto value = reader(texts.back());
        if (!value) throw CLI::ValidationError{name.substr(0, name.find(',')), value.error()};
        into = static_cast<T>(std::move(*value));
        return true;
    };
    return app.add_option(name, CLI::callback_t{take}, description)
        ->type_name(placeholder)
        ->option_text(choices_of(reader))
        ->default_function([&into, reader] { return default_text(into, reader); })
        ->capture_default_str()
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

/// Adds an option that may be given several times, or several values with commas between. `check`
/// says why a value is none, or nothing. `into` must outlive the parsing.
template <class Check>
CLI::Option* add_list(CLI::App& command, const std::string& name, std::vector<std::string>& into,
                      Check check, const std::string& placeholder, const std::string& description) {
    auto take = [&into, check, name](const CLI::results_t& texts) {
        into.clear();
        for (const auto& text : texts) {
            for (std::string_view rest = text; !rest.empty();) {
                const auto end = std::min(rest.find(','), rest.size());
                const auto each = rest.substr(0, end);
                if (const std::string why = check(each); !why.empty()) {
                    throw CLI::ValidationError{name, why};
                }
                into.emplace_back(each);
                rest.remove_prefix(std::min(end + 1, rest.size()));
            }
        }
        return true;
    };
    return command.add_option(name, CLI::callback_t{take}, description)
        ->type_name(placeholder)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

}  // namespace sluice::cli
