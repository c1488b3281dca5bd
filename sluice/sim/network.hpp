// The simulated network: one machine's TCP ports, and the sockets on them.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "sluice/sim/description.hpp"
#include "sluice/sim/endpoint.hpp"
#include "sluice/sim/stream.hpp"

namespace sluice::sim {

class process;
class simulated_kernel;
class tcp_socket;

/// All processes share it: every address is this machine's.
class network {
 public:
    explicit network(simulated_kernel& k) noexcept : kernel_{k} {}
    network(const network&) = delete;
    network& operator=(const network&) = delete;
    ~network() = default;

    [[nodiscard]] simulated_kernel& kernel() noexcept { return kernel_; }
    /// A port that no socket is bound to.
    [[nodiscard]] std::uint16_t free_port() noexcept;
    /// False if a socket that does not share its port is bound there.
    [[nodiscard]] bool may_bind(const tcp_socket& s, const endpoint& where) const noexcept;
    void add_bound(tcp_socket& s) { bound_.push_back(&s); }
    void remove_bound(tcp_socket& s) noexcept { std::erase(bound_, &s); }
    /// The listening socket for a connection to `to`, drawn from those that share the port.
    [[nodiscard]] tcp_socket* listener_of(const endpoint& to) noexcept;
    /// A direction of `s` stands still until heal().
    void add_stuck(std::weak_ptr<stream> s) { stuck_.push_back(std::move(s)); }
    /// Lets all that stands still go on, but for what is on its way to clients of which `stays` is
    /// true.
    void heal(const std::function<bool(const process&)>& stays);

 private:
    simulated_kernel& kernel_;
    std::vector<tcp_socket*> bound_;  // in the order of bind(2)
    std::vector<std::weak_ptr<stream>> stuck_;
    std::uint16_t next_port_ = 32'768;
};

/// A TCP socket. No function waits.
class tcp_socket final : public description, public std::enable_shared_from_this<tcp_socket> {
 public:
    tcp_socket(network& n, int family, int flags);
    ~tcp_socket() override;

    /// @name Calls of socket(7), results as those of os::kernel
    /// @{
    [[nodiscard]] int bind(const endpoint& where);
    [[nodiscard]] int listen(int backlog);
    /// A connection that waits; nullptr and `error`: -EAGAIN, -EINVAL, -ECONNABORTED.
    [[nodiscard]] std::shared_ptr<tcp_socket> accept(int& error);
    /// -EINPROGRESS at first; then -EALREADY, and at last 0 or the error, then -EISCONN.
    [[nodiscard]] int connect(const endpoint& to);
    [[nodiscard]] ssize_t recv(mutable_bytes memory, int flags);
    [[nodiscard]] ssize_t send(const_bytes data);
    [[nodiscard]] int shutdown(int how);
    [[nodiscard]] int get_option(int level, int name, void* value, socklen_t& size) noexcept;
    [[nodiscard]] int set_option(int level, int name, const void* value, socklen_t size) noexcept;
    [[nodiscard]] int name(sockaddr* address, socklen_t& size) const noexcept;
    [[nodiscard]] int peer(sockaddr* address, socklen_t& size) const noexcept;
    /// @}

    [[nodiscard]] ssize_t read(mutable_bytes memory) noexcept override { return recv(memory, 0); }
    [[nodiscard]] ssize_t write(const_bytes data) noexcept override { return send(data); }
    [[nodiscard]] short poll() noexcept override;
    [[nodiscard]] bool pollable() const noexcept override { return true; }
    [[nodiscard]] ssize_t peek(mutable_bytes memory) noexcept override {
        return recv(memory, MSG_PEEK);
    }
    void consume(std::size_t n) noexcept override;
    [[nodiscard]] std::size_t space() noexcept override;
    [[nodiscard]] int ioctl(unsigned long request, void* argument) noexcept override;
    /// Resets the peer.
    void hang_up() noexcept override;

    [[nodiscard]] const endpoint& local() const noexcept { return local_; }
    [[nodiscard]] bool listening() const noexcept { return state_ == state::listening; }
    [[nodiscard]] bool shares_port() const noexcept { return shares_port_; }
    [[nodiscard]] bool v6_only() const noexcept { return v6_only_; }
    [[nodiscard]] bool full() const noexcept { return waiting_.size() > backlog_; }
    /// 120 s after its peer fell silent, or the options that say otherwise; `never` without any.
    [[nodiscard]] virtual_time silence_limit() const noexcept;
    [[nodiscard]] int family() const noexcept { return family_; }
    /// The process that has called connect(2); nullptr for an accepted socket.
    [[nodiscard]] const process* client() const noexcept { return client_; }
    /// The connection broke.
    void fail(int error) noexcept;

 private:
    friend class stream;
    enum class state : std::uint8_t { fresh, listening, connecting, connected, broken };

    void send_syn(virtual_time next_try);
    void inherit(const tcp_socket& listener) noexcept;
    void stop_listening() noexcept;
    [[nodiscard]] int take_error() noexcept;

    network& network_;
    std::shared_ptr<stream> stream_;
    const process* client_ = nullptr;
    endpoint local_;
    endpoint peer_;
    std::deque<std::shared_ptr<tcp_socket>> waiting_;  // to be accepted
    std::size_t backlog_ = 0;
    std::size_t send_buffer_ = 0;  // bytes; 0: as drawn
    std::size_t receive_buffer_ = 0;
    int family_;
    std::size_t end_ = 0;
    int error_ = 0;  // SO_ERROR
    int keep_idle_ = 7200;
    int keep_interval_ = 75;
    int keep_probes_ = 9;
    int user_timeout_ = 0;  // milliseconds
    state state_ = state::fresh;
    bool bound_ = false;
    bool shares_port_ = false;
    bool v6_only_ = false;
    bool keeps_alive_ = false;
    bool lingers_zero_ = false;
    bool send_shut_ = false;
    bool receive_shut_ = false;
    bool connect_reported_ = false;
};

}  // namespace sluice::sim
