// Clients of the world of compute: those that keep to the rules, those that do not, and our own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sluice/compute/server/compute.hpp"
#include "tests/worlds/compute_programs.hpp"
#include "tests/worlds/compute_questions.hpp"
#include "tests/worlds/stage.hpp"
#include "tests/worlds/waiting.hpp"

namespace sluice::worlds {

/// What the clients of one world share.
struct compute_scene {
    stage& s;
    question_account& account;
    std::uint16_t port = 0;
    std::size_t max_line = 0;                  ///< of a question, in bytes
    bool refuses = false;                      ///< the server may say `busy`
    bool hurries = false;                      ///< and `late`
    const world_programs* programs = nullptr;  ///< that answer; null: the handlers of the program

    /// @name Phases, set by the director
    /// @{
    bool healed = false;    ///< no connection that begins now may break
    bool quiet = false;     ///< clients that break rules end
    bool stopping = false;  ///< the server does
    /// @}

    /// @name Counts
    /// @{
    std::uint64_t asked = 0;  ///< questions of which a part was sent
    std::uint64_t answered = 0;
    std::uint64_t busy = 0;
    std::uint64_t late = 0;
    std::uint64_t failed = 0;
    std::uint64_t too_long = 0;
    std::uint64_t broken = 0;  ///< connections
    /// @}

    /// A question of that client.
    [[nodiscard]] compute_question draw(std::size_t client, std::string_view tag) const;
    /// Judges an answer, and counts it.
    void take_answer(const compute_question& q, std::string_view answer);
};

/// A client that asks, reads and ends its connections in order, until one that has begun after the
/// healing has gone well.
class steady_client {
 public:
    steady_client(compute_scene& scene, std::size_t number) noexcept
        : scene_{scene}, number_{number} {}

    void run();
    [[nodiscard]] bool done() const noexcept { return done_; }
    [[nodiscard]] std::size_t number() const noexcept { return number_; }

 private:
    /// One connection. True if it has gone well.
    bool converse();
    std::vector<compute_question> draw_questions();
    [[nodiscard]] bool send_in_pieces(plain_client& to, std::string_view text);
    [[nodiscard]] bool lost(bool may_break, std::string_view what);

    compute_scene& scene_;
    std::size_t number_;
    std::uint64_t questions_ = 0;
    bool done_ = false;
};

/// A client that resets, vanishes, never reads, stops in mid-question, or never ends one, again and
/// again until the scene is quiet.
void break_rules(compute_scene& scene, std::size_t number);

/// Our load client, run again and again until a run that has begun after the healing has gone well.
/// Sets `done` then.
void run_load_client(compute_scene& scene, bool& done);

}  // namespace sluice::worlds
