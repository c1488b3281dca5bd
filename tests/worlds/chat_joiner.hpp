// A member of a simulated chat that is the client of sluice.
#pragma once

#include <string>
#include <utility>

#include "tests/worlds/chat_attendee.hpp"

namespace sluice::worlds {

/// `sluice chat join --reconnect`, with lines that come through a pipe.
class chat_joiner final : public chat_attendee {
 public:
    /// `scene` outlives it.
    chat_joiner(chat_scene& scene, std::string room) noexcept
        : chat_attendee{scene}, room_{std::move(room)} {}

    void live() override;
    [[nodiscard]] bool sits() const noexcept override {
        return me_ != nullptr && witness_.room() == room_;
    }
    [[nodiscard]] bool reads_promptly() const noexcept override { return true; }

 private:
    class ui;

    void begin();

    std::string room_;
};

}  // namespace sluice::worlds
