// Questions of the world of compute, their right answers, and the handler that gives them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/compute/server/handler.hpp"
#include "tests/worlds/stage.hpp"

namespace sluice::worlds {

/// A question of a client, and what it may be answered.
struct compute_question {
    std::string text;     ///< without its line end
    std::string answer;   ///< the right one, which depends on the client
    bool is_job = false;  ///< so it may be answered `busy` or `late`
};

/// Every kind of question: answered at once, by a job, by a job that fails, and after a sleep; some
/// are not valid, and some are of exactly `max_line` bytes. `tag`, "<3/1>", is unique, and is
/// in the answer wherever the handler can say it; "<!" begins that of a client that breaks rules.
[[nodiscard]] compute_question draw_question(stage& s, std::size_t client, std::string_view tag,
                                             std::size_t max_line);
/// False for questions without a tag, and for one that a client has cut short.
[[nodiscard]] bool has_whole_tag(std::string_view text) noexcept;
/// What a job answers.
[[nodiscard]] std::string reversed(std::string_view text);
/// A question that is answered by a job of `time`.
[[nodiscard]] compute_question job_question(std::chrono::milliseconds time, std::string_view tag);

/// What became of each question with a tag. Any fiber. Fails the world if one is run twice, or run
/// and refused, or run after its deadline.
class question_account {
 public:
    /// `deadline`: of a job that waits for a thread.
    question_account(stage& s, io::duration deadline) noexcept : stage_{s}, deadline_{deadline} {}

    /// @name Of the server
    /// @{
    void begun(std::string_view text);
    void run(std::string_view text);
    /// @}
    /// From now on the clients that keep to the rules read at once, so that their jobs wait for
    /// nothing but a thread, and not beyond the deadline.
    void expect_deadlines() noexcept { expects_deadlines_ = true; }
    /// A client was answered `busy` or `late`, and the question was not begun.
    void refused(const compute_question& q);
    /// Questions that the handler was given, with a tag or not.
    [[nodiscard]] std::uint64_t all() const noexcept { return all_; }

 private:
    struct entry {
        sim::virtual_time since = 0;
        bool in_time = false;  ///< its job waits for a thread alone
        bool was_run = false;
        bool was_refused = false;
    };

    stage& stage_;
    io::duration deadline_;
    std::map<std::string, entry, std::less<>> entries_;
    std::uint64_t all_ = 0;
    bool expects_deadlines_ = false;
};

/// Answers the questions above with the handlers of the program. `account` outlives it.
[[nodiscard]] std::unique_ptr<compute::handler> make_world_handler(question_account& account);

}  // namespace sluice::worlds
