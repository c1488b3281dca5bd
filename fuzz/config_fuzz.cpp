// A configuration of any bytes: each entry where it says, or a mistake with words.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/base/check.hpp"
#include "sluice/cli/config.hpp"

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

void examine(std::string_view text) {
    const auto once = parse_config(text);
    const auto again = parse_config(text);
    check(once.has_value() == again.has_value(), "one text is read in two ways");
    if (!once) {
        check(!once.error().what.empty(), "a mistake without words");
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
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): what libFuzzer hands over
    examine({reinterpret_cast<const char*>(data), size});
    return 0;
}
