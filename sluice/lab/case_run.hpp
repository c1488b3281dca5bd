// Defines case_run: the rounds of one case while the lab measures it.
#pragma once

#include <cstddef>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sluice/io/timer.hpp"
#include "sluice/lab/noise.hpp"
#include "sluice/lab/plan.hpp"
#include "sluice/lab/progress.hpp"
#include "sluice/lab/results.hpp"
#include "sluice/lab/runner.hpp"
#include "sluice/lab/settings.hpp"

namespace sluice::lab {

/// Measures the rounds of a case, sets disturbed ones aside, and appends the case to the results at
/// its end. The arguments of the constructor outlive it.
class case_run {
 public:
    using clock = io::clock;

    case_run(planned_case& planned, const settings& config, progress& display, noise& monitor,
             results& into, const time_source& now);
    case_run(const case_run&) = delete;
    case_run& operator=(const case_run&) = delete;
    ~case_run() = default;

    /// Measures another round, the first after a warm-up. Sets a disturbed round aside while the
    /// case may still repeat rounds.
    void measure_round(const limits& within, clock::time_point deadline, std::mt19937& random);

    [[nodiscard]] bool is_enough(const limits& within, clock::time_point usual,
                                 clock::time_point deadline) const;

    /// Rounds measured so far, counted or set aside.
    [[nodiscard]] std::size_t measured() const noexcept {
        return rounds_.counted + disturbed_rounds_.size();
    }
    [[nodiscard]] std::size_t counted() const noexcept { return rounds_.counted; }
    /// Complete turns, counted or not.
    [[nodiscard]] std::size_t turns() const noexcept { return measured() / planned_.rounds_a_turn; }
    [[nodiscard]] std::size_t turns_counted() const noexcept {
        return counted() / planned_.rounds_a_turn;
    }

    /// Counts set-aside rounds if too few others count, and appends the case to the results.
    void end(const limits& within);

    /// The error of the last variant that was left out.
    [[nodiscard]] const std::string& last_error() const noexcept { return last_error_; }

 private:
    /// The measurements of one variant.
    struct variant_run {
        variant* source = nullptr;
        figure found;
        std::vector<histogram> latencies;  // an entry per round
        std::size_t rounds = 0;
        bool left_out = false;

        void add(sample taken);
        [[nodiscard]] std::vector<quantile> quantiles() const;
    };
    /// One sample of each variant.
    struct round {
        std::vector<std::pair<variant_run*, sample>> taken;
        double disturbance = 0;  ///< the largest disturbance::size() of its samples
    };

    [[nodiscard]] std::vector<variant_run*> shuffled(std::mt19937& random);
    void warm_up(std::mt19937& random);
    void leave_out(variant_run& which, const std::string& why);
    round take_round(std::mt19937& random);
    void count(round& one);
    void fill_up(std::size_t fewest);
    [[nodiscard]] bool is_precise() const;
    void write_case();

    planned_case& planned_;
    const settings& config_;
    progress& display_;
    noise& noise_;
    results& into_;
    const time_source& now_;
    std::vector<variant_run> rows_;
    std::vector<round> disturbed_rounds_;  // disturbed rounds, each repeated
    round_count rounds_;
    clock::duration last_duration_{};  // of the last round
    bool exhausted_ = false;           // its last round had no sample
    bool precise_ = false;
    std::string name_;
    std::string last_error_;
};

}  // namespace sluice::lab
