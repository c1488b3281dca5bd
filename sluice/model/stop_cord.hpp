// Carries a stop from the thread that hears of it to one that serves.
#pragma once

#include <functional>
#include <mutex>

#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/model/guest.hpp"

namespace sluice::model {

/// One end is pulled by any thread, at any time; the other is tied to an engine for as long as
/// there is one, and acts on its thread.
class stop_cord : io::letter {
 public:
    /// `act` is called with each stage that is reached, those reached before it was tied included.
    /// It must not throw.
    explicit stop_cord(std::function<void(stage)> act);
    stop_cord(const stop_cord&) = delete;
    stop_cord& operator=(const stop_cord&) = delete;
    ~stop_cord() = default;

    /// Any thread. A stage never goes back.
    void pull(stage to) noexcept;
    /// The thread of `here`, which calls untie() before `here` dies.
    void tie(io::engine& here) noexcept;
    /// Returns when nothing is under way any more. Not from within a turn of the engine.
    void untie() noexcept;
    /// The same where nothing has to be waited for; false if something is under way.
    [[nodiscard]] bool try_untie() noexcept;

 private:
    void deliver() noexcept;

    std::function<void(stage)> act_;
    std::mutex mutex_;
    io::engine* there_ = nullptr;
    stage pulled_ = stage::serving;
    stage acted_ = stage::serving;
    bool posted_ = false;
};

}  // namespace sluice::model
