// Defines chat_service: the chat as a service of the event model, with a hub per shard.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sluice/chat/server/directory.hpp"
#include "sluice/chat/server/limits.hpp"
#include "sluice/chat/server/registry.hpp"
#include "sluice/chat/server/relay.hpp"
#include "sluice/chat/server/transcript.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/model/service.hpp"

namespace sluice::chat {

/// State that the hubs of all shards share. Outlives the server that runs it. The first one in a
/// process loads the ICU tables of names.
class chat_service {
 public:
    struct options {
        limits allowed;
        std::size_t shards = 1;               ///< of the model: model::workers_of()
        transcript* seen = nullptr;           ///< lines for the operator; may be nullptr
        registry* accounts = nullptr;         ///< nullptr: no client is asked for a password
        model::access_log* access = nullptr;  ///< outlives the service; nullptr: none
    };

    explicit chat_service(const options& o);
    chat_service(const chat_service&) = delete;
    chat_service& operator=(const chat_service&) = delete;
    ~chat_service() = default;

    /// Any thread: other limits from now on, those that are live_setting.
    void set_limits(const limits& l) noexcept;

    /// For model::endpoint::state.
    [[nodiscard]] model::state_factory state();
    /// The sum of all shards' counters. Any thread.
    [[nodiscard]] counters counted() const noexcept;
    /// Each shard's. Any thread; they live as long as this.
    [[nodiscard]] std::span<const counters> by_shard() const noexcept { return counters_; }

 private:
    class shard;

    options options_;
    directory directory_;
    relay relay_;
    std::vector<counters> counters_;  // by shard
};

}  // namespace sluice::chat
