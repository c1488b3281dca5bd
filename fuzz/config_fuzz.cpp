// A configuration of any bytes: each entry where it says, or a mistake with words; and a setting
// that is written into it is found there.
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/cli/config.hpp"
#include "sluice/cli/lab/config.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::config_target {
namespace {

using sluice::check;
using sluice::cli::config_entry;
using sluice::cli::parse_config;

std::size_t lines_of(std::string_view text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
}

bool same(const config_entry& a, const config_entry& b) {
    return a.section == b.section && a.key == b.key && a.value == b.value && a.line == b.line;
}

/// A setting is written, and nothing else changes.
void check_writing(std::string_view text, const std::vector<config_entry>& before) {
    constexpr std::string_view command = "files serve";
    constexpr std::string_view key = "send";
    const auto written = sluice::cli::with_setting(text, command, key, "splice");
    const auto after = parse_config(written);
    check(after.has_value(), "a configuration with a setting is none");
    std::size_t others = 0;
    std::string_view last;
    for (const auto& entry : *after) {
        const bool is_it = entry.section == command && entry.key == key;
        if (is_it) last = entry.value;
        others += is_it ? 0 : 1;
    }
    check(last == "splice", "a setting that was written is not there");
    const auto is_other = [&](const auto& e) { return e.section != command || e.key != key; };
    check(others == static_cast<std::size_t>(std::ranges::count_if(before, is_other)),
          "another setting is gone, or came");
    check(sluice::cli::with_setting(written, command, key, "splice") == written,
          "a setting that is there is written again");
}

}  // namespace

void examine(std::string_view text) {
    const auto once = parse_config(text);
    const auto again = parse_config(text);
    check(once.has_value() == again.has_value(), "one text is read in two ways");
    if (!once) {
        check(!once.error().what.empty() && wire::is_printable(once.error().what),
              "a mistake without fit words");
        check(once.error().line >= 1 && once.error().line <= lines_of(text),
              "a mistake on a line that is not there");
        return;
    }
    check(std::equal(once->begin(), once->end(), again->begin(), again->end(), same),
          "one text is read in two ways");
    std::size_t before = 0;
    for (const auto& entry : *once) {
        check(!entry.key.empty(), "an entry without a key");
        check(entry.line > before && entry.line <= lines_of(text), "an entry out of its place");
        check(entry.key.find('\n') == std::string_view::npos &&
                  entry.value.find('\n') == std::string_view::npos,
              "an entry of two lines");
        before = entry.line;
    }
    // A mistake further down does not change what stands above it.
    const auto whole = text.substr(0, text.rfind('\n') + 1);
    const auto longer = std::string{whole} + "[\n";
    const auto spoilt = parse_config(longer);
    check(!spoilt && spoilt.error().line == lines_of(whole), "a mistake is found where it is");
    check_writing(text, *once);
}

}  // namespace sluice::fuzz::config_target
