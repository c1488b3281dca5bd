// Defines transcript, the sink for the lines that a chat server shows to its operator.
#pragma once

#include <string>
#include <string_view>

namespace sluice::chat {

/// Receives lines about joins, leaves and messages. Called on every shard's thread; must not block.
class transcript {
 public:
    transcript(const transcript&) = delete;
    transcript& operator=(const transcript&) = delete;
    /// Appends whole lines, each ended by a newline.
    virtual void add(std::string_view lines) noexcept = 0;

 protected:
    transcript() noexcept = default;
    ~transcript() = default;
};

}  // namespace sluice::chat
