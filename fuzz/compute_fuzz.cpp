// A session of compute under any bytes and any split: the same answers, one for each question.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "fuzz/door.hpp"
#include "sluice/base/check.hpp"
#include "sluice/compute/server/compute.hpp"
#include "sluice/compute/server/handler.hpp"

namespace sluice::fuzz::compute_target {
namespace {

constexpr std::size_t max_line = 200;

std::unique_ptr<compute::handler> made_handler(unsigned which) {
    if (which == 0) return compute::make_fib(12);
    if (which == 1) return compute::make_sleep(std::chrono::minutes{1});
    return compute::make_echo();
}

std::string answers(unsigned handler, wire::framing mode, const fuzz::stream& questions) {
    return fuzz::ask(
        [&](worlds::stage& s) {
            compute::compute_service service{made_handler(handler),
                                             {.framing = mode, .max_line = max_line, .workers = 1}};
            fuzz::serve(s, {.serve = service.service()});
        },
        questions);
}

}  // namespace

/// Bits 3 and 4 of the first byte choose the handler, bit 5 lines alone, instead of what the client
/// is seen to speak.
void examine(std::string_view input) {
    const unsigned first = input.empty() ? 0 : static_cast<unsigned char>(input.front());
    const unsigned handler = (first >> 3U) & 3U;
    const auto mode = (first & 32U) != 0 ? wire::framing::line : wire::framing::automatic;
    const auto said = stream::of(input);
    const auto heard = same_for_any_split(
        said, [&](const stream& questions) { return answers(handler, mode, questions); });
    // A telnet ends its lines with a carriage return, too.
    const auto ends =
        std::ranges::count_if(said.bytes, [](char c) { return c == '\n' || c == '\r'; });
    check(std::ranges::count(heard, '\n') <= ends + 1, "more answers than questions");
}

}  // namespace sluice::fuzz::compute_target
