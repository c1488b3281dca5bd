// Stop relay: carries a stop from any thread to the engine of a thread that serves.
#pragma once

#include <functional>

#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/model/session.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::model {

/// Any thread requests a stage, at any time; the relay is attached to an engine while there is one,
/// and acts on its thread.
class stop_relay : io::message {
 public:
    /// `act` is called with each stage that is reached, also with those reached before attach(). It
    /// must not throw.
    explicit stop_relay(std::function<void(stage)> act);
    stop_relay(const stop_relay&) = delete;
    stop_relay& operator=(const stop_relay&) = delete;
    ~stop_relay() = default;

    /// Any thread. A stage never goes back.
    void request(stage to) noexcept;
    /// On the thread of `engine`, which calls detach() before `engine` dies.
    void attach(io::engine& engine) noexcept;
    /// Returns when no message is pending any more. Not from within a turn of the engine.
    void detach() noexcept;
    /// The same without waiting; false if a message is pending.
    [[nodiscard]] bool try_detach() noexcept;

 private:
    void deliver() noexcept;

    std::function<void(stage)> act_;
    os::mutex mutex_;
    io::engine* engine_ = nullptr;
    stage requested_ = stage::serving;
    stage acted_ = stage::serving;
    bool posted_ = false;
};

}  // namespace sluice::model
