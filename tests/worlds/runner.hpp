// Runs settings, each in a child process of its own, several at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sluice/base/sometimes.hpp"
#include "tests/worlds/stage.hpp"

namespace sluice::worlds {

/// How one run ended.
struct run_result {
    bool passed = false;
    std::uint64_t hash = 0;  ///< of its trace, if it passed
    std::string said;        ///< stdout and stderr
};

/// Runs worlds. A run that fails, crashes or takes more than a minute of real time takes nobody
/// with it, and leaves nothing behind for the next.
class runner {
 public:
    /// At most `jobs` runs at a time.
    explicit runner(unsigned jobs);
    runner(const runner&) = delete;
    runner& operator=(const runner&) = delete;
    ~runner();

    /// Runs one and waits for it.
    [[nodiscard]] run_result run_one(const world& w, const setting& how);
    /// Runs `count` seeds from `how.seed` on. `ended` is called for each, in no order, and returns
    /// false to begin no more.
    void run_many(const world& w, setting how, std::uint64_t count,
                  const std::function<bool(const setting&, const run_result&)>& ended);
    /// What the runs have gone through so far.
    [[nodiscard]] const rare_path_counts& taken() const noexcept { return shared_->taken; }

 private:
    struct shared_memory {
        rare_path_counts taken;
        std::array<std::uint64_t, 64> hashes;  // by job
    };
    struct job {
        int process = -1;
        int output = -1;  // a memfd
        setting how;
    };

    void begin(const world& w, const setting& how, std::size_t slot);
    run_result end(std::size_t slot, int status);

    shared_memory* shared_;
    std::vector<job> jobs_;
};

}  // namespace sluice::worlds
