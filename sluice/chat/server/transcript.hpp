// What the operator of the server sees: who comes, who goes, what is said.
#pragma once

#include <string>
#include <string_view>

namespace sluice::chat {

/// Takes lines as they happen. Called by every shard's thread; must not wait.
class transcript {
 public:
    transcript(const transcript&) = delete;
    transcript& operator=(const transcript&) = delete;
    /// Whole lines, each ended by a newline.
    virtual void add(std::string_view lines) noexcept = 0;

 protected:
    transcript() noexcept = default;
    ~transcript() = default;
};

}  // namespace sluice::chat
