// Programs of --exec in the world of compute: what each does, and what becomes of their questions.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/compute/server/handler.hpp"
#include "sluice/compute/server/process_pool.hpp"
#include "sluice/sim/process.hpp"
#include "sluice/sim/random.hpp"
#include "tests/worlds/compute_questions.hpp"
#include "tests/worlds/program_faults.hpp"
#include "tests/worlds/stage.hpp"

namespace sluice::worlds {

/// A question for a program: answered with its reverse, after some time; some are never answered,
/// as their program ends over them, some are empty, and some are of exactly `max_line` bytes. `tag`
/// as for draw_question().
[[nodiscard]] compute_question draw_program_question(stage& s, std::string_view tag,
                                                     std::size_t max_line);

/// The programs of one world. Any fiber.
class world_programs {
 public:
    /// `limits` are those of the pool; `account` outlives this.
    world_programs(stage& s, question_account& account, compute::process_pool_options limits);

    /// For process_pool::make(): its program is on the disk.
    [[nodiscard]] const compute::process_pool_options& limits() const noexcept { return limits_; }
    /// Hands questions to `pool`, on the server's fibers, and fails the world if what becomes of
    /// one is wrong: the answer to another, or a refusal without a cause. This and `pool` outlive
    /// it.
    [[nodiscard]] std::unique_ptr<compute::handler> make_handler(compute::process_pool& pool);
    /// What the server says to a question that it was asked, which has a tag.
    [[nodiscard]] std::string_view outcome_of(std::string_view question) const;
    /// No fault happens any more; programs that have gone wrong stay so.
    void heal();
    /// The server is told to stop: questions may fail from now on.
    void stop() noexcept { stopping_ = true; }
    /// Empty if all programs of `pool` run and no other is left; else what is wrong.
    [[nodiscard]] std::string unsettled(const compute::process_pool& pool) const;

 private:
    class program;
    class judging_handler;
    struct pending;
    using asking =
        std::function<coro::task<result<std::string>>(io::engine&, compute::question_context&)>;

    coro::task<result<std::string>> judge(asking ask, std::string question, io::engine& engine,
                                          compute::question_context& state);
    void check(const pending& q, const result<std::string>& outcome);
    /// True if the question may have failed.
    [[nodiscard]] bool may_fail(const std::string& question) const;
    /// The server, or a program of it, was short of something, or stood still, a moment ago.
    [[nodiscard]] bool was_short() const;
    [[nodiscard]] sim::virtual_time now() const noexcept;

    stage& s_;
    question_account& account_;
    compute::process_pool_options limits_;
    sim::random chance_;
    program_faults faults_;
    const sim::process* server_ = nullptr;
    std::vector<pending*> pending_;
    std::map<std::string, std::string, std::less<>> outcomes_;  // of questions with a tag
    std::set<std::string> broken_off_;     // questions whose program went wrong
    sim::virtual_time excused_until_ = 0;  // questions may fail that no program has read
    sim::virtual_time healed_at_ = sim::never;
    bool stopping_ = false;
};

}  // namespace sluice::worlds
