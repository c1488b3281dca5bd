// Socket address: IPv4 or IPv6 with a port, or the name of a Unix socket, from and as text.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/result.hpp"

namespace sluice::net {

/// An IPv4 or IPv6 socket address, a Unix socket, or none yet. 28 bytes, copied freely, owns
/// nothing.
///
/// One of a Unix socket (unix(7)) is its name, or the process at the other end: its user and number
/// (SO_PEERCRED), since a client has no name. Names are kept for the life of the process: they are
/// those that it listens at or calls, and no peer can make one.
class address {
 public:
    /// No address: its family is AF_UNSPEC. To receive an address into.
    address() noexcept : storage_{} {}
    /// 127.0.0.1 with `port`.
    [[nodiscard]] static address loopback(std::uint16_t port) noexcept;
    /// 0.0.0.0 with `port`: every IPv4 interface of the machine.
    [[nodiscard]] static address any(std::uint16_t port) noexcept;

    /// Parses `127.0.0.1:5000`, `[::1]:5000`, `[fe80::1%eth0]:5000`, or `5000` for 127.0.0.1:5000;
    /// `unix:/run/name` for a Unix socket at a path, `unix:@name` for one with an abstract name.
    /// Resolves no names and never blocks. Errors: fault::bad_address, also for a name;
    /// why_no_address() explains it.
    [[nodiscard]] static result<address> parse(std::string_view text);

    /// The address `fd` is bound to: getsockname(2). Errors: its errno; fault::unsupported if the
    /// socket is of another family.
    [[nodiscard]] static result<address> local_of(int fd);
    /// The address of the other end of `fd`: getpeername(2); of a Unix socket, its process. Errors
    /// as local_of.
    [[nodiscard]] static result<address> peer_of(int fd);
    /// Copies what a system call wrote, of a Unix socket the name. Errors: fault::unsupported for
    /// another family, a Unix socket without a name, or a size that is too small for its family;
    /// ENOMEM.
    [[nodiscard]] static result<address> from(const sockaddr* raw, socklen_t size);

    /// AF_INET, AF_INET6, AF_UNIX, or AF_UNSPEC for none.
    [[nodiscard]] int family() const noexcept { return storage_.any.sa_family; }
    /// In host byte order; 0 for none, or for a port that the kernel is to choose, or where there
    /// are no ports.
    [[nodiscard]] std::uint16_t port() const noexcept;
    /// Whether it is of this machine alone: true for 127.0.0.0/8, also as an IPv4-mapped IPv6
    /// address, for ::1, and for Unix sockets.
    [[nodiscard]] bool is_loopback() const noexcept;
    /// Whether it is of a Unix socket.
    [[nodiscard]] bool is_unix() const noexcept { return family() == AF_UNIX; }
    /// The user of the process at the other end of a Unix socket; -1 for all others.
    [[nodiscard]] uid_t user() const noexcept;
    /// The path of a Unix socket; empty for all others, and for an abstract name.
    [[nodiscard]] std::string_view path() const noexcept;
    /// The same host with another port.
    [[nodiscard]] address with_port(std::uint16_t port) const noexcept;

    /// For bind(2), connect(2), sendto(2), with size().
    [[nodiscard]] const sockaddr* data() const noexcept;
    /// Bytes of data() that its family uses.
    [[nodiscard]] socklen_t size() const noexcept;
    /// For a system call that writes an IPv4 or IPv6 address, with a length that starts at
    /// capacity().
    [[nodiscard]] sockaddr* writable() noexcept { return &storage_.any; }
    /// Bytes that a system call may write at writable().
    [[nodiscard]] static constexpr socklen_t capacity() noexcept { return sizeof(storage); }

    /// `127.0.0.1:5000`, `[::1]:5000`, `[fe80::1%2]:5000`, `unix:/run/name`, `unix:@name`; `-` for
    /// none. parse() reads it back, an IPv4-mapped IPv6 address as the IPv4 address that it is, but
    /// for a path or name that is not wire::is_printable(): its bytes are escaped.
    /// `unix:uid=1000,pid=4711` for the process at the other end of a Unix socket.
    [[nodiscard]] std::string to_string() const;
    /// Appends the host alone: `127.0.0.1`, `::1`, `fe80::1%2`; nothing for none, and all of a Unix
    /// address, which has no port.
    void append_host(std::string& to) const;

    /// True if host, port and family are the same, and for IPv6 the scope; for Unix sockets, if the
    /// names are, or the processes.
    friend bool operator==(const address& a, const address& b) noexcept;

 private:
    struct unix_name;
    /// A pointer would make it larger, by its alignment.
    struct unix_socket {
        sa_family_t family;
        std::array<std::byte, sizeof(void*)> name;  // a const unix_name*, or null
        uid_t user;
        pid_t process;
    };
    union storage {
        sockaddr_in6 v6;  // first, so that value initialisation clears all of it
        sockaddr_in v4;
        unix_socket local;
        sockaddr any;
    };
    [[nodiscard]] static const unix_name* keep(const sockaddr_un& raw, socklen_t size);
    [[nodiscard]] static result<address> of_process(int fd) noexcept;
    [[nodiscard]] const unix_name* name() const noexcept;
    storage storage_;
};
static_assert(sizeof(address) == 28);

/// Like address::parse, and asks the resolver for a name. Gives every address of the name, in the
/// order to try them (RFC 6724), at least one. Blocks for as long as getaddrinfo(3) does, seconds
/// where a name server is silent: not on a thread that runs an engine. Errors: those of parse, and
/// the resolver's.
[[nodiscard]] result<std::vector<address>> resolve(std::string_view text);

/// The reason why `text` is no address and the correct form, as a sentence without its full stop.
/// Empty if its form is valid; only the resolver knows whether a name exists.
[[nodiscard]] std::string why_no_address(std::string_view text);

}  // namespace sluice::net
