// Things that happen while a coroutine waits, one a turn of its engine, without a second thread.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "sluice/base/check.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"

namespace sluice::test {

/// Calls functions on the engine's thread, one at each look at its mailbox: inside the next wait on
/// the blocking engine, between a wait and the coroutines' turn on the others. So what happens to
/// an operation in flight can be said exactly, on every engine. Lives outside of the coroutines.
class steps : io::message {
 public:
    using step = std::function<void()>;

    explicit steps(io::engine& e) : message{&deliver}, engine_{e} {}
    steps(io::engine& e, std::vector<step> what) : steps{e} { begin(std::move(what)); }
    steps(const steps&) = delete;
    steps& operator=(const steps&) = delete;
    /// Takes the steps that are left.
    ~steps() {
        while (left() > 0) engine_.run_once(io::time_point::min());
    }

    /// The first function is called at the next look. Those from before must have been called.
    void begin(std::vector<step> what) {
        check(left() == 0, "steps are begun before the last ones were taken");
        what_ = std::move(what);
        next_ = 0;
        if (!what_.empty()) engine_.post(*this);
    }
    [[nodiscard]] std::size_t left() const { return what_.size() - next_; }

 private:
    static void deliver(io::message& l) noexcept {
        auto& self = static_cast<steps&>(l);
        const step now = std::move(self.what_[self.next_]);
        if (++self.next_ < self.what_.size()) self.engine_.post(self);
        now();
    }

    io::engine& engine_;
    std::vector<step> what_;
    std::size_t next_ = 0;
};

}  // namespace sluice::test
