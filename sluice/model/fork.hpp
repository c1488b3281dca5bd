// The fork model: a process per client.
#pragma once

#include <sys/types.h>

#include <expected>
#include <memory>
#include <string>
#include <unordered_map>

#include "sluice/model/model.hpp"

namespace sluice::model {

/// The server accepts and forks; the child has the client, its own engine, and of all descriptors
/// only the standard ones, the client's, and server_options::keep. A child that ends in any way is
/// reaped at once and affects no other client. Reaps all children of the process.
class fork final : public server {
 public:
    /// An error if the process has threads or io_uring rings, which a child would inherit broken.
    [[nodiscard]] static std::expected<std::unique_ptr<server>, std::string> make(
        io::engine& engine, std::vector<endpoint> endpoints, server_options o);
    fork(const fork&) = delete;
    fork& operator=(const fork&) = delete;
    ~fork() override;

 private:
    /// Kills children that have not ended in time.
    struct kill_timer : io::timer {
        explicit kill_timer(fork& f) noexcept;
        fork& owner;
    };

    fork(io::engine& engine, std::vector<endpoint> endpoints, server_options o);

    coro::task<result<void>> serve() override;
    void pass_on(stage now) noexcept override;
    coro::task<result<void>> receive(arrival client);
    [[noreturn]] void run_child(arrival client, pid_t parent) noexcept;
    void close_other_descriptors(int socket) const noexcept;
    void kill_all(int number) noexcept;
    void reap() noexcept;
    void on_child_exit(pid_t child, int status) noexcept;

    std::unordered_map<pid_t, arrival> children_;  // by pid; the clients, without their sockets
    kill_timer kill_timer_;
};

}  // namespace sluice::model
