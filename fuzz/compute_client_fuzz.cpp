// A client of compute at a server that says any bytes, in any split: it counts the same answers and
// the same errors.
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "fuzz/door.hpp"
#include "sluice/base/check.hpp"
#include "sluice/compute/client/load_client.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::compute_client_target {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_line = 200;

struct outcome {
    std::optional<std::string> answer;
    std::optional<std::string> refusal;
    std::uint64_t answered = 0;
    std::map<std::string, std::uint64_t> errors;
    friend bool operator==(const outcome&, const outcome&) = default;
};

outcome ask(const compute::load_client_options& how, const fuzz::stream& said) {
    outcome o;
    fuzz::let_hear(said, [&] {
        const auto engine = io::make_engine(io::engine_kind::epoll).value();
        compute::load_client asks{*engine, how};
        auto found = io::run(*engine, asks.run({}));
        o = {.answer = std::move(found.answer),
             .refusal = std::move(found.refusal),
             .answered = found.answered,
             .errors = std::move(found.errors)};
    });
    return o;
}

}  // namespace

/// Bit 3 of the first byte: the client says who it is. Bit 4: it asks three times.
void examine(std::string_view input) {
    const unsigned first = input.empty() ? 0 : static_cast<unsigned char>(input.front());
    compute::load_client_options how{.where = {net::address::loopback(worlds::usual_port)},
                                     .question = "7",
                                     .requests = (first & 16U) != 0 ? 3U : 1U,
                                     .timeout = 5s,
                                     .max_line = max_line};
    if ((first & 8U) != 0) how.login = auth::credentials{"ann", "secret"};
    const auto found = same_for_any_split(stream::of(input),
                                          [&how](const stream& said) { return ask(how, said); });
    check(!found.answer || found.answer->size() <= max_line, "an answer beyond its limit");
    check(found.answered <= how.requests, "more answers than questions");
    for (const auto& [why, times] : found.errors) {
        check(times > 0 && wire::is_printable(why), "an error that a terminal obeys");
    }
}

}  // namespace sluice::fuzz::compute_client_target
