// How each chat server is joined and spoken to.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "chat.hpp"

namespace load {

/// What to send on joining, step by step: a text, and what the server says once it is done; an
/// empty one waits for nothing.
struct chat_step {
    std::string say;
    std::string answer;
};

/// One server's protocol.
class chat_protocol {
 public:
    explicit chat_protocol(chat_server which) noexcept : which_{which} {}

    /// The first or second step of joining; both texts empty where there is none.
    [[nodiscard]] chat_step join(std::size_t step, bool sends, std::size_t index) const;
    /// One message as a sender writes it.
    [[nodiscard]] std::string message(std::string_view text) const;
    /// False where publishers receive nothing but the answers to it.
    [[nodiscard]] bool senders_are_members() const noexcept;

 private:
    chat_server which_;
};

}  // namespace load
