// The fork model: a process for each client.
#pragma once

#include <sys/types.h>

#include <expected>
#include <memory>
#include <string>
#include <unordered_map>

#include "sluice/model/model.hpp"

namespace sluice::model {

/// Home accepts and forks; the child has the client, an engine of its own, and of all descriptors
/// only the standard ones, the client's, and those it was told to keep. A child that ends in any
/// way is reaped at once and costs nobody else anything. All children of the process are taken to
/// be ours.
class fork final : public server {
 public:
    /// Refused where the process has threads or io_uring rings, which a child would inherit broken.
    [[nodiscard]] static std::expected<std::unique_ptr<server>, std::string> make(
        io::engine& home, std::vector<entrance> entrances, options o);
    fork(const fork&) = delete;
    fork& operator=(const fork&) = delete;
    ~fork() override;

 private:
    /// When children that were told to end at once are killed.
    struct kill_timer : io::timer {
        explicit kill_timer(fork& f) noexcept;
        fork& owner;
    };

    fork(io::engine& home, std::vector<entrance> entrances, options o);

    coro::task<result<void>> serve() override;
    void pass_on(stage now) noexcept override;
    coro::task<result<void>> receive(arrival client);
    [[noreturn]] void live_as_child(arrival client, pid_t parent) noexcept;
    void close_what_is_not_ours(int socket) const noexcept;
    void kill_all(int number) noexcept;
    void reap() noexcept;
    void bury(pid_t child, int status) noexcept;

    std::unordered_map<pid_t, arrival> children_;  // of each the client, without its socket
    kill_timer kill_timer_;
};

}  // namespace sluice::model
