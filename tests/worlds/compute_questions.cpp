// Implements the questions of the world of compute over the handlers of the program.
#include "tests/worlds/compute_questions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <utility>

#include "sluice/compute/refusals.hpp"
#include "sluice/os/clock.hpp"

namespace sluice::worlds {
namespace {

using namespace std::chrono_literals;

constexpr unsigned fib_limit = 20;  // above 18 it is a job
constexpr auto sleep_limit = 2s;

/// The first word of `text`, which it is taken from.
std::string_view take_word(std::string_view& text) noexcept {
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

class world_handler final : public compute::handler {
 public:
    explicit world_handler(question_account& account) : account_{account} {}

    std::optional<compute::job> begin(std::string_view question,
                                      std::string& answers) const override {
        account_.begun(question);
        auto rest = question;
        const auto kind = take_word(rest);
        if (kind == "echo") return echo_->begin(rest, answers);
        if (kind == "fib") return fib_->begin(rest, answers);
        if (kind == "sleep") return sleep_->begin(rest, answers);
        return job_->begin(question, answers);
    }

 private:
    /// "job 20 <3/1>": the reverse after 20 ms; "fail 20 <3/1>": std::bad_alloc.
    std::string work(const std::string& question) const {
        account_.run(question);
        std::string_view rest = question;
        const auto kind = take_word(rest);
        const auto number = take_word(rest);
        unsigned milliseconds = 0;
        std::from_chars(number.data(), number.data() + number.size(), milliseconds);
        os::sleep_for(std::chrono::milliseconds{milliseconds});
        if (kind == "fail") throw std::bad_alloc{};
        return reversed(question);
    }

    question_account& account_;
    std::unique_ptr<compute::handler> echo_ = compute::make_echo();
    std::unique_ptr<compute::handler> fib_ = compute::make_fib(fib_limit);
    std::unique_ptr<compute::handler> sleep_ = compute::make_sleep(sleep_limit);
    std::unique_ptr<compute::handler> job_ =
        compute::make_function([this](std::string_view q) { return work(std::string{q}); });
};

}  // namespace

std::string reversed(std::string_view text) {
    return {text.rbegin(), text.rend()};
}

bool has_whole_tag(std::string_view text) noexcept {
    return text.find('>') != std::string_view::npos;
}

compute_question job_question(std::chrono::milliseconds time, std::string_view tag) {
    std::string text = fmt::format("job {} {}", time.count(), tag);
    std::string answer = reversed(text);
    return {.text = std::move(text), .answer = std::move(answer), .is_job = true};
}

compute_question draw_question(stage& s, std::size_t client, std::string_view tag,
                               std::size_t max_line) {
    auto& chance = s.chance();
    // Now and then longer than the pause after which a server looks for a client that has left.
    const auto draw_time = [&chance](double long_ones) {
        return chance.chance(long_ones) ? chance.between(260, 400) : chance.between(0, 30);
    };
    const std::int64_t time = draw_time(0.05);
    switch (chance.below(12)) {
        case 0: {
            const auto n = static_cast<unsigned>(chance.between(0, fib_limit));
            return {.text = fmt::format("fib {}", n),
                    .answer = fmt::format("{}", compute::fib(n)),
                    .is_job = n > 18};
        }
        case 1:
            return {.text = fmt::format("fib {}x", client),
                    .answer = std::string{compute::refusal::not_a_number}};
        case 2:
            return {.text = fmt::format("sleep {}", 10'000 + client),
                    .answer = std::string{compute::refusal::out_of_range}};
        case 3:
        case 4: {
            // A number that no other client says.
            const auto n = draw_time(0.2) / 8 * 8 + static_cast<std::int64_t>(client % 8);
            return {.text = fmt::format("sleep {}", n), .answer = fmt::format("{}", n)};
        }
        case 5:
            return {.text = fmt::format("fail {} {}", time, tag),
                    .answer = std::string{compute::refusal::failed},
                    .is_job = true};
        case 6:
        case 7:
        case 8: return job_question(std::chrono::milliseconds{time}, tag);
        default: {
            std::string said = fmt::format("{} ", tag);
            constexpr std::string_view kind = "echo ";
            const auto most = max_line - kind.size() - said.size();
            said.append(chance.chance(0.2) ? most : chance.below(40), 'x');
            return {.text = fmt::format("{}{}", kind, said), .answer = said};
        }
    }
}

void question_account::begun(std::string_view text) {
    ++all_;
    if (!has_whole_tag(text)) return;
    const auto [at, is_new] = entries_.try_emplace(std::string{text});
    stage_.require(is_new, fmt::format("the handler is given '{}' for the second time", text));
    at->second.since = stage_.kernel().scheduler().now();
    at->second.in_time = expects_deadlines_ && text.find("<!") == std::string_view::npos;
}

void question_account::run(std::string_view text) {
    const auto found = entries_.find(text);
    if (found == entries_.end()) return;
    entry& e = found->second;
    stage_.require(!e.was_run, fmt::format("'{}' is run a second time", text));
    stage_.require(!e.was_refused, fmt::format("'{}' is run, and was refused", text));
    e.was_run = true;
    if (deadline_ == io::duration::max() || !e.in_time) return;
    constexpr auto slack = 20ms;
    const std::chrono::nanoseconds waited{stage_.kernel().scheduler().now() - e.since};
    stage_.require(
        waited <= deadline_ + slack,
        fmt::format("'{}' is run after {} ms, later than its deadline", text, waited / 1ms));
}

void question_account::refused(const compute_question& q) {
    if (!has_whole_tag(q.text)) return;
    const auto found = entries_.find(q.text);
    stage_.require(found != entries_.end(),
                   fmt::format("'{}' was refused before it was asked", q.text));
    stage_.require(!found->second.was_run, fmt::format("'{}' was run, and is refused", q.text));
    found->second.was_refused = true;
}

std::unique_ptr<compute::handler> make_world_handler(question_account& account) {
    return std::make_unique<world_handler>(account);
}

}  // namespace sluice::worlds
