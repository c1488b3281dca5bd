// Workload: a service with its clients, and what these are owed; one or several to a world.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "sluice/sim/process.hpp"
#include "tests/worlds/server.hpp"

namespace sluice::worlds {

/// All functions but host() are called on the director's fiber, in this order.
class workload {
 public:
    workload() = default;
    workload(const workload&) = delete;
    workload& operator=(const workload&) = delete;
    virtual ~workload() = default;

    /// The main function of the server's process: makes the service, and calls `run` with its
    /// listeners, which returns when the server has ended.
    virtual void host(const std::function<void(std::vector<door>)>& run) = 0;
    /// Starts the clients.
    virtual void begin() = 0;
    /// Checks what must hold at any time; under load, and after it.
    virtual void look() {}
    /// Every client, for stage::heal().
    [[nodiscard]] virtual std::vector<sim::process*> clients() const = 0;
    /// The faults are over.
    virtual void heal() = 0;
    /// Fails unless every client of the core has in time what it is owed.
    virtual void settle() = 0;
    /// The server will be told to stop.
    virtual void before_stop() {}
    /// The server has ended.
    virtual void after_stop() = 0;
};

/// @name Of each service
/// The server has that shape, and listens on `port`.
/// @{
[[nodiscard]] std::unique_ptr<workload> make_chat_workload(stage& s, const server_shape& shape,
                                                           std::uint16_t port);
[[nodiscard]] std::unique_ptr<workload> make_compute_workload(stage& s, const server_shape& shape,
                                                              std::uint16_t port);
/// It listens on the ports of files_scene.
[[nodiscard]] std::unique_ptr<workload> make_files_workload(stage& s, const server_shape& shape);
/// @}

}  // namespace sluice::worlds
