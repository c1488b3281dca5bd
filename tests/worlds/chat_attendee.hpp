// What all clients of a simulated chat share, and how its director sees one of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/worlds/chat_record.hpp"
#include "tests/worlds/chat_witness.hpp"
#include "tests/worlds/stage.hpp"

namespace sluice::worlds {

class chat_attendee;

/// The place, and the phase that the world is in.
struct chat_scene {
    stage& s;
    chat_record record;
    chat_witness::rules rules;
    std::vector<std::string> rooms;  ///< where members go; the first one is where all begin
    std::size_t longest = 0;         ///< line, in bytes
    std::uint16_t port = 0;
    sim::virtual_time healed_at = sim::never;  ///< from then on members stay, and speak evenly
    bool quiet = false;                        ///< nobody says anything,
    const chat_attendee* spokesman = nullptr;  ///< but this one, a single line
    bool leaving = false;                      ///< all leave, and do not come back
    bool stopping = false;                     ///< the server was told to end

    [[nodiscard]] bool healed() const noexcept { return healed_at != sim::never; }
    /// Between two lines of a member once the faults are over: many lines at first, then as many as
    /// it takes for one who comes late to hear everybody.
    [[nodiscard]] std::chrono::milliseconds pause_after_healing() noexcept {
        constexpr auto lively = 5 * sim::a_second;
        const bool is_lively = quiet || record.now() < healed_at + lively;
        return std::chrono::milliseconds{is_lively ? 200 : 2000};
    }
};

/// A client with a witness.
class chat_attendee {
 public:
    chat_attendee(const chat_attendee&) = delete;
    chat_attendee& operator=(const chat_attendee&) = delete;
    virtual ~chat_attendee() = default;

    /// The main function of its process: sits in the chat, again and again, until all leave.
    virtual void live() = 0;
    /// It is in a room, and waits for no answer about that.
    [[nodiscard]] virtual bool sits() const noexcept = 0;
    [[nodiscard]] virtual bool reads_promptly() const noexcept = 0;
    /// Notes that its connection is closed on its side; its process may have ended in mid-air.
    void leave() noexcept {
        if (me_ != nullptr) scene_.record.leave(*std::exchange(me_, nullptr));
    }
    [[nodiscard]] const chat_witness& witness() const noexcept { return witness_; }
    /// Of the connection that it has; nullptr without one.
    [[nodiscard]] const speaker* who() const noexcept { return me_; }

 protected:
    /// In a quiet scene: true once, if it is to say its line.
    [[nodiscard]] bool is_asked_to_speak() noexcept {
        if (scene_.spokesman != this) return false;
        scene_.spokesman = nullptr;
        return true;
    }
    /// `scene` outlives it.
    explicit chat_attendee(chat_scene& scene) noexcept
        : scene_{scene}, witness_{scene.s, scene.record, scene.rules} {}

    chat_scene& scene_;
    chat_witness witness_;
    speaker* me_ = nullptr;
};

}  // namespace sluice::worlds
