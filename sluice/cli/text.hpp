// Helpers for messages: lists, near misses, numbers, wrapped paragraphs, JSON.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "sluice/wire/text.hpp"

namespace sluice::cli {

using wire::in_quotes;

/// "a, b or c", with `last` ("or") before the last word.
[[nodiscard]] std::string listed(std::span<const std::string_view> words, std::string_view last);

/// The word of `known` that `word` most likely stands for; empty if none is so near that it can be
/// mistyped.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string> known);

/// "20,000".
[[nodiscard]] std::string grouped(std::uint64_t number);

/// Columns of a report in text.
inline constexpr std::size_t text_columns = 80;

/// Breaks `text` between words so that only lines with a longer word exceed `width` columns;
/// `indent` spaces before each line and a newline after it.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

/// Breaks a command line between words, with a backslash at the end of each line but the last, so
/// that it can be pasted, and two spaces more before each but the first. As wrapped() otherwise.
[[nodiscard]] std::string wrapped_command(std::string_view line, std::size_t indent,
                                          std::size_t width);

/// `value` as text that ends with a newline, on one line without an `indent`. Invalid UTF-8 becomes
/// U+FFFD; what a terminal may take for a command is escaped (wire::printable_json()).
[[nodiscard]] std::string json_text(const nlohmann::ordered_json& value, int indent = -1);

}  // namespace sluice::cli
