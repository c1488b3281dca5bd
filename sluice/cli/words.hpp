// Small things that messages to people are made of.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sluice::cli {

/// What a user or a file said, in quotes, shortened, and safe to show on a terminal.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// "a, b or c", with `last` before the last.
[[nodiscard]] std::string listed(std::span<const std::string_view> words, std::string_view last);

/// The one of `known` that `word` was most likely meant to be; empty if none is near.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string> known);

/// "20,000".
[[nodiscard]] std::string grouped(std::uint64_t number);

/// Breaks `text` between words so that no line is longer than `width` columns, a longer word
/// excepted, with `indent` spaces before each line and a newline after each.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

}  // namespace sluice::cli
