// Tells what is being measured, how far it is, and how long it will take.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace sluice::lab {

/// A bar where stderr is a terminal; elsewhere a line a round of all cases.
class progress {
 public:
    using clock = std::chrono::steady_clock;
    /// Takes text for stderr: whole lines, or pieces of the bar. Must not wait for a reader.
    using sink = std::function<void(std::string_view)>;

    /// `end` is when all will be done, unless the rounds are done before, of which each case has
    /// between `fewest` and `most`. Without a `write` nothing is told.
    progress(std::size_t cases, clock::time_point end, sink write, std::size_t fewest = 1,
             std::size_t most = 1);
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    /// Takes the bar away.
    ~progress();

    /// A case begins its round `number`, from 1, of those that count: one that is repeated has the
    /// number again. `done` is the share of all rounds that there may be.
    void begin_round(std::size_t number, double done);
    void show(const std::string& doing);

 private:
    void clear();
    [[nodiscard]] double share() const;
    [[nodiscard]] std::string time_left() const;
    [[nodiscard]] std::string rounds() const;

    std::size_t cases_;
    std::size_t fewest_;
    std::size_t most_;
    std::size_t round_ = 0;
    double by_rounds_ = 0;
    clock::time_point begun_ = clock::now();
    clock::time_point end_;
    sink write_;
    bool bar_;
    bool drawn_ = false;
};

}  // namespace sluice::lab
