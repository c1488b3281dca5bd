// Implements the handlers: fib, echo, sleep, a function, and a pool of programs.
#include "sluice/compute/server/handler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <expected>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/compute/refusals.hpp"
#include "sluice/compute/server/process_pool.hpp"

namespace sluice::compute {
namespace {

constexpr unsigned max_fib = 92;
// About 10 us: less than a round trip to another thread.
constexpr unsigned max_inline_fib = 18;

std::string_view trimmed(std::string_view text) noexcept {
    constexpr std::string_view blanks = " \t\r\n";
    const auto from = text.find_first_not_of(blanks);
    if (from == std::string_view::npos) return {};
    return text.substr(from, text.find_last_not_of(blanks) - from + 1);
}

/// Parses a whole number up to `most`, or gives the refusal.
std::expected<std::uint64_t, std::string_view> read_number(std::string_view text,
                                                           std::uint64_t most) noexcept {
    auto digits = trimmed(text);
    const bool negative = digits.starts_with('-');
    if (negative) digits.remove_prefix(1);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (digits.empty() || !std::ranges::all_of(digits, is_digit)) {
        return std::unexpected{refusal::not_a_number};
    }
    std::uint64_t number = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    const bool zero = code == std::errc{} && number == 0;
    if (code != std::errc{} || number > most || (negative && !zero)) {
        return std::unexpected{refusal::out_of_range};
    }
    return number;
}

void append_number(std::string& to, std::uint64_t number) {
    fmt::format_to(std::back_inserter(to), "{}", number);
}

/// Answers numbers alone.
class number_handler : public handler {
 public:
    bool is_refusal(std::string_view answer) const noexcept override {
        return answer == refusal::not_a_number || answer == refusal::out_of_range;
    }
};

class fib_handler final : public number_handler {
 public:
    explicit fib_handler(unsigned limit) noexcept : limit_{limit} {
        check(limit <= max_fib, "fib of more than 92 does not fit 64 bits");
    }
    std::optional<job> begin(std::string_view question, std::string& answers) const override {
        const auto n = read_number(question, limit_);
        if (!n) {
            answers += n.error();
            return std::nullopt;
        }
        const auto number = static_cast<unsigned>(*n);
        if (number > max_inline_fib) {
            return job{
                .compute = [number] { return result<std::string>{std::to_string(fib(number))}; }};
        }
        append_number(answers, fib(number));
        return std::nullopt;
    }

 private:
    unsigned limit_;
};

class echo_handler final : public handler {
    std::optional<job> begin(std::string_view question, std::string& answers) const override {
        answers += question;
        return std::nullopt;
    }
};

class sleep_handler final : public number_handler {
 public:
    explicit sleep_handler(io::duration limit) noexcept
        : limit_{std::chrono::duration_cast<std::chrono::milliseconds>(limit)} {}
    std::optional<job> begin(std::string_view question, std::string& answers) const override {
        const auto n = read_number(question, static_cast<std::uint64_t>(limit_.count()));
        if (!n) {
            answers += n.error();
            return std::nullopt;
        }
        return job{.sleep = std::chrono::milliseconds{*n}, .slept = std::to_string(*n)};
    }

 private:
    std::chrono::milliseconds limit_;
};

class function_handler final : public handler {
 public:
    explicit function_handler(std::function<std::string(std::string_view)> f) noexcept
        : function_{std::move(f)} {}
    std::optional<job> begin(std::string_view question, std::string& /*answers*/) const override {
        return job{.compute = [this, text = std::string{question}] {
            return result<std::string>{function_(text)};
        }};
    }

 private:
    std::function<std::string(std::string_view)> function_;
};

class program_handler final : public handler {
 public:
    explicit program_handler(process_pool& pool) noexcept : pool_{pool} {}
    std::optional<job> begin(std::string_view question, std::string& /*answers*/) const override {
        return job{.ask = [this, text = std::string{question}](io::engine& engine,
                                                               question_context& state) {
            return pool_.ask(engine, text, state);
        }};
    }

 private:
    process_pool& pool_;
};

}  // namespace

// Not inlined. gcc would unroll the recursion into a kilobyte of branches, whose time differs by a
// tenth with its address and from compiler to compiler: a server and a plain loop would not do the
// same work.
[[gnu::noinline, gnu::aligned(64)]] std::uint64_t fib(unsigned n) noexcept {
    return n < 2 ? 1 : fib(n - 1) + fib(n - 2);
}

std::unique_ptr<handler> make_fib(unsigned limit) {
    return std::make_unique<fib_handler>(limit);
}

std::unique_ptr<handler> make_echo() {
    return std::make_unique<echo_handler>();
}

std::unique_ptr<handler> make_sleep(io::duration limit) {
    return std::make_unique<sleep_handler>(limit);
}

std::unique_ptr<handler> make_function(std::function<std::string(std::string_view)> f) {
    return std::make_unique<function_handler>(std::move(f));
}

std::unique_ptr<handler> make_programs(process_pool& pool) {
    return std::make_unique<program_handler>(pool);
}

}  // namespace sluice::compute
