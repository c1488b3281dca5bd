// pidfd of the simulated kernel (pidfd_open(2)).
#pragma once

#include "sluice/sim/description.hpp"
#include "sluice/sim/process.hpp"

namespace sluice::sim {

/// Readable once its process can be waited for.
class process_descriptor final : public description, watcher {
 public:
    explicit process_descriptor(process& of) : description{kind::process, O_RDWR}, of_{&of} {
        of.ended().add(*this);
    }
    ~process_descriptor() override {
        if (of_ != nullptr) of_->ended().remove(*this);
    }

    [[nodiscard]] short poll() noexcept override {
        return of_ == nullptr || of_->waitable() ? POLLIN : 0;
    }
    [[nodiscard]] bool pollable() const noexcept override { return true; }

 private:
    void on_change(short events) noexcept override { watchers().notify(events); }
    void on_end() noexcept override { of_ = nullptr; }

    process* of_;  // nullptr: it is gone with its world
};

}  // namespace sluice::sim
