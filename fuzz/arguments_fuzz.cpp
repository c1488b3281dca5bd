// The values of flags from any bytes: taken within their limits, or refused with words.
#include <chrono>
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/wire/framing.hpp"
#include "sluice/wire/size.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::arguments_target {
namespace {

using namespace sluice::cli;
using sluice::check;

template <class T>
void examine_refusal(const reading<T>& read) {
    if (read) return;
    check(!read.error().empty(), "a refusal without words");
    check(read.error().back() != '.', "a refusal with its full stop");
    check(sluice::wire::is_printable(read.error()), "a refusal that is not fit for a terminal");
}

}  // namespace

void examine(std::string_view text) {
    const auto address = read_address(text);
    examine_refusal(address);
    check(!address || *address == text, "an address is kept as it was written");
    const auto time = read_duration(text);
    examine_refusal(time);
    check(!time || time->count() >= 0, "a time before now");
    const auto size = read_size(text);
    examine_refusal(size);
    check(!size || sluice::wire::parse_size(std::to_string(*size)) == *size, "another size");
    check(!size || !sluice::wire::format_size(*size).empty(), "a size without words");
    const auto mode = sluice::wire::framing_from_text(text);
    check(!mode || sluice::wire::to_text(*mode) == text, "another framing");
    const auto count = count_from{3, 1000}(text);
    examine_refusal(count);
    check(!count || (*count >= 3 && *count <= 1000), "a number beyond its limits");
    // What is taken is taken whole: nothing may follow it.
    check(!count || !count_from{3, 1000}(std::string{text} + " "), "a number with a tail");
}

}  // namespace sluice::fuzz::arguments_target
