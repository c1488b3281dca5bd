// Members of a simulated chat that are plain sockets, well-behaved and otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/worlds/chat_attendee.hpp"
#include "tests/worlds/waiting.hpp"

namespace sluice::worlds {

/// A member that says lines and reads them, or not.
class chat_member final : public chat_attendee {
 public:
    enum class reading : std::uint8_t { promptly, slowly, never };
    enum class ending : std::uint8_t { quits, exits, half_closes, closes, resets };
    struct manner {
        reading reads = reading::promptly;
        ending ends = ending::quits;
        double restless = 0;  ///< how often it leaves, and comes back
        bool crlf = false;
        std::int64_t most_lines = 5;  ///< that it says in one go
    };

    /// `scene` outlives it.
    chat_member(chat_scene& scene, const manner& m) noexcept : chat_attendee{scene}, manner_{m} {}

    void live() override;
    [[nodiscard]] bool sits() const noexcept override {
        return me_ != nullptr && witness_.settled();
    }
    [[nodiscard]] bool reads_promptly() const noexcept override {
        return manner_.reads == reading::promptly;
    }

 private:
    void sit();
    void introduce();
    void act();
    void say_some(std::int64_t lines);
    void move();
    void be_called(const std::string& name);
    void whisper();
    void say_too_much();
    void read_until(sim::virtual_time until);
    bool read_some(std::size_t most);
    void hear_all();
    void send(std::string_view text);
    void send_line(std::string_view line);
    void ask_who_it_is();
    void leave_in_order();
    void hang_up();
    [[nodiscard]] bool waited_too_long() const noexcept;
    [[nodiscard]] std::string room_of_lines() const;

    manner manner_;
    std::optional<plain_client> socket_;
    std::string received_;  // and not yet heard
    std::string asked_room_;
    sim::virtual_time next_question_ = 0;
};

/// Floods the chat with commands, and with bytes that are no text, in rooms of its own, until all
/// leave. It reads what it is answered, or does not.
void flood_chat(chat_scene& scene, std::size_t number, bool reads);

}  // namespace sluice::worlds
