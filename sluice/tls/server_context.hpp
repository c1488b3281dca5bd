// What the TLS connections of a server share: certificate, settings, ticket keys, counters.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/os/shared_object.hpp"
#include "sluice/tls/certificate.hpp"
#include "sluice/tls/openssl.hpp"
#include "sluice/tls/session.hpp"
#include "sluice/tls/ticket_keys.hpp"

namespace sluice::tls {

/// Settings of a server's TLS.
struct server_options {
    /// Reads the certificate, at the start and at each reload. May block.
    std::function<std::expected<certificate, std::string>()> load = {};
    /// A file in PEM with the authorities of clients: each must present a certificate of one of
    /// them. Empty: none is asked for.
    std::string client_authorities = {};
    bool clear_too = false;  ///< clients that do not speak TLS stay in the clear (accept())
    /// Threads that serve: so many contexts are made, for threads that share one wait for its locks
    /// (openssl issue 17064).
    std::size_t threads = 1;
    io::duration handshake_time = std::chrono::seconds{10};  ///< for all of a handshake
};

/// Counters of a server's TLS, in all threads and forked processes.
struct counters {
    std::atomic<std::uint64_t> full = 0;     ///< handshakes with a signature
    std::atomic<std::uint64_t> resumed = 0;  ///< handshakes with a ticket
    std::atomic<std::uint64_t> failed = 0;   ///< handshakes that were broken off
    std::atomic<std::uint64_t> slow = 0;     ///< of them, for lack of time
    std::atomic<std::uint64_t> plain = 0;    ///< clients that did not speak TLS
};

/// Any thread, but for reload(): one at a time. Outlives its sessions.
class server_context {
 public:
    /// The error is a sentence without its full stop.
    [[nodiscard]] static std::expected<std::unique_ptr<server_context>, std::string> create(
        server_options o);
    server_context(const server_context&) = delete;
    server_context& operator=(const server_context&) = delete;
    ~server_context();

    /// Reads the certificate anew, for clients that come from now on. After an error, which is a
    /// sentence without its full stop, the old one stays. May block.
    [[nodiscard]] std::expected<void, std::string> reload();

    /// A connection of a client whose first bytes are awaited. ENOMEM. `protocol` is the name that
    /// is agreed on with clients that name protocols (ALPN, RFC 7301); static.
    [[nodiscard]] result<std::unique_ptr<session>> accept(std::string_view protocol) noexcept;

    /// As certificate::fingerprint(), of the certificate in force.
    [[nodiscard]] std::string fingerprint() const;
    [[nodiscard]] const server_options& options() const noexcept { return options_; }
    [[nodiscard]] counters& counting() noexcept { return *counters_; }

 private:
    struct context;

    explicit server_context(server_options o, ticket_keys keys) noexcept;
    [[nodiscard]] std::expected<std::shared_ptr<context>, std::string> make_context(
        const certificate& shown);

    server_options options_;
    ticket_keys keys_;
    shared_if_possible<counters> counters_;
    std::atomic<std::size_t> next_thread_ = 0;
    std::vector<std::atomic<std::shared_ptr<context>>> contexts_;
    mutable os::mutex mutex_;
    std::string fingerprint_;  // guarded by mutex_
};

}  // namespace sluice::tls
