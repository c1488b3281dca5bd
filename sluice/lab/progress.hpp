// Tells on stderr what is being measured, how far it is, and how long it will take.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace sluice::lab {

/// A bar on a terminal; elsewhere a line a case.
class progress {
 public:
    using clock = std::chrono::steady_clock;

    /// `end` is when all will be done at the latest.
    progress(std::size_t cases, clock::time_point end, bool quiet);
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    /// Takes the bar away.
    ~progress();

    void begin_case(const std::string& name);
    /// `done` is the share of this case.
    void show(const std::string& doing, double done);

 private:
    void clear();

    std::size_t cases_;
    std::size_t case_ = 0;
    std::string name_;
    clock::time_point begun_ = clock::now();
    clock::time_point end_;
    bool quiet_;
    bool bar_;
    bool drawn_ = false;
};

}  // namespace sluice::lab
