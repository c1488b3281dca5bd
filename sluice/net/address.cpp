// Implements address: parsing, formatting and resolving socket addresses.
#include "sluice/net/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <expected>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <set>

#include "sluice/os/kernel.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::net {
namespace {

/// inet_ntop(3), which formats by printf(3).
void append_v4(std::string& to, const in_addr& host) {
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &host, sizeof host);
    std::array<char, 16> text{};
    char* end = text.data();
    for (const auto each : bytes) {
        if (end != text.data()) *end++ = '.';
        end = std::to_chars(end, text.data() + text.size(), each).ptr;
    }
    to.append(text.data(), end);
}

enum class problem : std::uint8_t {
    empty,
    no_port,
    no_host,
    odd_port,
    port_too_large,
    open_bracket,
    bare_v6,
    odd_v4,
    odd_v6,
    odd_name,
    no_path,
    long_path,
};

/// A parsed text: a name for the resolver, or an address.
struct parsed {
    std::string_view name;  ///< empty if `literal` is the address
    address literal;
    std::uint16_t port = 0;
};

bool all_of(std::string_view text, std::string_view set) {
    return text.find_first_not_of(set) == std::string_view::npos;
}
constexpr std::string_view digits = "0123456789";

std::expected<std::uint16_t, problem> read_port(std::string_view text) {
    if (text.empty()) return std::unexpected{problem::no_port};
    if (!all_of(text, digits)) return std::unexpected{problem::odd_port};
    std::uint16_t port = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (code != std::errc{}) return std::unexpected{problem::port_too_large};
    return port;
}

/// Reads an IPv6 address without brackets; the zone (RFC 4007, section 11) is a name or a number.
std::expected<address, problem> read_v6(std::string_view host) {
    sockaddr_in6 raw{};
    raw.sin6_family = AF_INET6;
    const auto percent = host.find('%');
    if (percent != std::string_view::npos) {
        const std::string zone{host.substr(percent + 1)};
        raw.sin6_scope_id = ::if_nametoindex(zone.c_str());
        if (raw.sin6_scope_id == 0) {
            const auto* last = zone.data() + zone.size();
            const auto [end, code] = std::from_chars(zone.data(), last, raw.sin6_scope_id);
            if (code != std::errc{} || end != last) return std::unexpected{problem::odd_v6};
        }
    }
    const std::string text{host.substr(0, percent)};
    if (::inet_pton(AF_INET6, text.c_str(), &raw.sin6_addr) != 1) {
        return std::unexpected{problem::odd_v6};
    }
    return *address::from(reinterpret_cast<const sockaddr*>(&raw), sizeof raw);
}

std::expected<address, problem> read_v4(std::string_view host) {
    sockaddr_in raw{};
    raw.sin_family = AF_INET;
    const std::string text{host};
    if (::inet_pton(AF_INET, text.c_str(), &raw.sin_addr) != 1) {
        return std::unexpected{problem::odd_v4};
    }
    return *address::from(reinterpret_cast<const sockaddr*>(&raw), sizeof raw);
}

/// True if `host` may go to the resolver, which itself decides which characters are valid.
bool could_be_name(std::string_view host) {
    constexpr std::size_t longest = 253;  // RFC 1035, section 2.3.4, without the root's dot
    return !host.empty() && host.size() <= longest && std::ranges::none_of(host, [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' ||
               std::string_view{":/[]@%?#\\"}.contains(c);
    });
}

/// Reads the host alone into `into.name` or `into.literal`.
std::expected<void, problem> read_host(std::string_view host, bool bracketed, parsed& into) {
    if (host.empty() && !bracketed) return std::unexpected{problem::no_host};
    if (host == "*" && !bracketed) {
        into.literal = address::any(0);
        return {};
    }
    if (bracketed || all_of(host, "0123456789.")) {
        const auto literal = bracketed ? read_v6(host) : read_v4(host);
        if (!literal) return std::unexpected{literal.error()};
        into.literal = *literal;
        return {};
    }
    if (host.contains(':') && all_of(host, "0123456789abcdefABCDEF:.")) {
        return std::unexpected{problem::bare_v6};
    }
    if (!could_be_name(host)) return std::unexpected{problem::odd_name};
    into.name = host;
    return {};
}

constexpr std::string_view unix_prefix = "unix:";

/// Reads the path or the abstract name of a Unix socket.
std::expected<parsed, problem> read_unix(std::string_view path) {
    const bool is_abstract = path.starts_with('@');
    if (is_abstract) path.remove_prefix(1);
    if (path.empty() || path.contains('\0')) return std::unexpected{problem::no_path};
    sockaddr_un raw{};
    raw.sun_family = AF_UNIX;
    // A path ends in a NUL, and an abstract name begins with one.
    if (path.size() >= sizeof raw.sun_path) return std::unexpected{problem::long_path};
    std::memcpy(raw.sun_path + (is_abstract ? 1 : 0), path.data(), path.size());
    const auto size = offsetof(sockaddr_un, sun_path) + path.size() + 1;
    const auto found =
        address::from(reinterpret_cast<const sockaddr*>(&raw), static_cast<socklen_t>(size));
    if (!found) throw std::bad_alloc{};
    return parsed{.name = {}, .literal = *found};
}

std::expected<parsed, problem> read(std::string_view text) {
    if (text.empty()) return std::unexpected{problem::empty};
    if (text.starts_with(unix_prefix)) return read_unix(text.substr(unix_prefix.size()));
    if (all_of(text, digits)) {
        const auto port = read_port(text);
        if (!port) return std::unexpected{port.error()};
        return parsed{.name = {}, .literal = address::loopback(*port), .port = *port};
    }
    // A NUL would end the text early in C functions.
    if (text.contains('\0')) return std::unexpected{problem::odd_name};
    const bool bracketed = text.front() == '[';
    const auto close = bracketed ? text.find(']') : 0;
    if (close == std::string_view::npos) return std::unexpected{problem::open_bracket};
    const auto colon = bracketed ? text.find(':', close) : text.rfind(':');
    if (colon == std::string_view::npos || (bracketed && colon != close + 1)) {
        return std::unexpected{problem::no_port};
    }
    parsed found;
    const auto host = bracketed ? text.substr(1, close - 1) : text.substr(0, colon);
    if (const auto done = read_host(host, bracketed, found); !done) {
        return std::unexpected{done.error()};
    }
    const auto port = read_port(text.substr(colon + 1));
    if (!port) return std::unexpected{port.error()};
    found.port = *port;
    found.literal = found.literal.with_port(*port);
    return found;
}

/// What a system call wrote.
struct raw_address {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    [[nodiscard]] sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

}  // namespace

/// The name of a Unix socket, as the kernel takes it. A path has its NUL.
struct address::unix_name {
    sockaddr_un raw{};
    socklen_t size = 0;

    [[nodiscard]] std::string_view text() const noexcept {
        return {raw.sun_path, size - offsetof(sockaddr_un, sun_path)};
    }
    friend bool operator<(const unix_name& a, const unix_name& b) noexcept {
        return a.text() < b.text();
    }
};

const address::unix_name* address::keep(const sockaddr_un& raw, socklen_t size) {
    static os::mutex mutex;
    static std::set<unix_name> all;
    unix_name made;
    std::memcpy(&made.raw, &raw, size);
    made.size = size;
    const std::lock_guard lock{mutex};
    return &*all.insert(made).first;
}

address address::loopback(std::uint16_t port) noexcept {
    auto made = any(port);
    made.storage_.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return made;
}

address address::any(std::uint16_t port) noexcept {
    address made;
    made.storage_.v4 = {};
    made.storage_.v4.sin_family = AF_INET;
    made.storage_.v4.sin_port = htons(port);
    return made;
}

result<address> address::parse(std::string_view text) {
    const auto found = read(text);
    if (!found || !found->name.empty()) return failure(fault::bad_address);
    return found->literal;
}

result<address> address::local_of(int fd) {
    raw_address raw;
    const int failed = os::sys().getsockname(fd, raw.data(), raw.size);
    if (failed < 0) return failure_of(-failed);
    return from(raw.data(), raw.size);
}

result<address> address::peer_of(int fd) {
    raw_address raw;
    const int failed = os::sys().getpeername(fd, raw.data(), raw.size);
    if (failed < 0) return failure_of(-failed);
    if (raw.storage.ss_family == AF_UNIX) return of_process(fd);
    return from(raw.data(), raw.size);
}

result<address> address::of_process(int fd) noexcept {
    ucred of{};
    socklen_t size = sizeof of;
    const int failed = os::sys().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &of, size);
    if (failed < 0) return failure_of(-failed);
    address made;
    made.storage_.local = {.family = AF_UNIX, .name = {}, .user = of.uid, .process = of.pid};
    return made;
}

const address::unix_name* address::name() const noexcept {
    return is_unix() ? std::bit_cast<const unix_name*>(storage_.local.name) : nullptr;
}

uid_t address::user() const noexcept {
    return is_unix() && name() == nullptr ? storage_.local.user : static_cast<uid_t>(-1);
}

std::string_view address::path() const noexcept {
    const auto* own = name();
    if (own == nullptr || own->raw.sun_path[0] == '\0') return {};
    return own->raw.sun_path;
}

const sockaddr* address::data() const noexcept {
    const auto* own = name();
    return own != nullptr ? reinterpret_cast<const sockaddr*>(&own->raw) : &storage_.any;
}

result<address> address::from(const sockaddr* raw, socklen_t size) {
    if (size < sizeof(sa_family_t)) return failure(fault::unsupported);
    address made;
    if (raw->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
        std::memcpy(&made.storage_.v4, raw, sizeof(sockaddr_in));
    } else if (raw->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
        std::memcpy(&made.storage_.v6, raw, sizeof(sockaddr_in6));
    } else if (raw->sa_family == AF_UNIX && size > offsetof(sockaddr_un, sun_path) &&
               size <= sizeof(sockaddr_un)) {
        try {
            sockaddr_un name{};
            std::memcpy(&name, raw, size);
            made.storage_.local = {
                .family = AF_UNIX,
                .name = std::bit_cast<decltype(unix_socket::name)>(keep(name, size)),
                .user = static_cast<uid_t>(-1),
                .process = 0};
        } catch (const std::bad_alloc&) {
            return failure_of(ENOMEM);
        }
    } else {
        return failure(fault::unsupported);
    }
    return made;
}

std::uint16_t address::port() const noexcept {
    switch (family()) {
        case AF_INET: return ntohs(storage_.v4.sin_port);
        case AF_INET6: return ntohs(storage_.v6.sin6_port);
        default: return 0;
    }
}

bool address::is_loopback() const noexcept {
    if (is_unix()) return true;
    if (family() == AF_INET) return ntohl(storage_.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    if (family() != AF_INET6) return false;
    const in6_addr& host = storage_.v6.sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&host)) return host.s6_addr[12] == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&host);
}

address address::with_port(std::uint16_t port) const noexcept {
    auto made = *this;
    if (family() == AF_INET) made.storage_.v4.sin_port = htons(port);
    if (family() == AF_INET6) made.storage_.v6.sin6_port = htons(port);
    return made;
}

socklen_t address::size() const noexcept {
    switch (family()) {
        case AF_INET: return sizeof(sockaddr_in);
        case AF_INET6: return sizeof(sockaddr_in6);
        case AF_UNIX: return name() != nullptr ? name()->size : sizeof(sa_family_t);
        default: return sizeof(sa_family_t);
    }
}

void address::append_host(std::string& to) const {
    char host[INET6_ADDRSTRLEN];
    if (family() == AF_INET) {
        append_v4(to, storage_.v4.sin_addr);
    } else if (family() == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&storage_.v6.sin6_addr)) {
        // An IPv4 client on an IPv6 socket (RFC 4291, section 2.5.5.2): shown as IPv4.
        in_addr mapped{};
        std::memcpy(&mapped, &storage_.v6.sin6_addr.s6_addr[12], sizeof mapped);
        append_v4(to, mapped);
    } else if (family() == AF_INET6) {
        to += ::inet_ntop(AF_INET6, &storage_.v6.sin6_addr, host, sizeof host);
        const auto zone = storage_.v6.sin6_scope_id;
        if (zone != 0) fmt::format_to(std::back_inserter(to), "%{}", zone);
    }
    if (!is_unix()) return;
    const auto* own = name();
    if (own == nullptr) {
        fmt::format_to(std::back_inserter(to), "unix:uid={},pid={}", storage_.local.user,
                       storage_.local.process);
        return;
    }
    const bool is_abstract = own->text().starts_with('\0');
    to += is_abstract ? "unix:@" : "unix:";
    to += wire::printable(is_abstract ? own->text().substr(1) : path());
}

std::string address::to_string() const {
    std::string text;
    append_host(text);
    if (text.empty()) return "-";
    if (is_unix()) return text;
    const bool in_brackets = text.contains(':');
    return in_brackets ? fmt::format("[{}]:{}", text, port()) : fmt::format("{}:{}", text, port());
}

bool operator==(const address& a, const address& b) noexcept {
    if (a.family() != b.family() || a.port() != b.port()) return false;
    switch (a.family()) {
        case AF_INET: return a.storage_.v4.sin_addr.s_addr == b.storage_.v4.sin_addr.s_addr;
        case AF_INET6:
            return IN6_ARE_ADDR_EQUAL(&a.storage_.v6.sin6_addr, &b.storage_.v6.sin6_addr) &&
                   a.storage_.v6.sin6_scope_id == b.storage_.v6.sin6_scope_id;
        case AF_UNIX:
            return a.name() == b.name() && a.storage_.local.user == b.storage_.local.user &&
                   a.storage_.local.process == b.storage_.local.process;
        default: return true;
    }
}

result<std::vector<address>> resolve(std::string_view text) {
    const auto found = read(text);
    if (!found) return failure(fault::bad_address);
    if (found->name.empty()) return std::vector{found->literal};

    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int code = ::getaddrinfo(std::string{found->name}.c_str(), nullptr, &wanted, &list);
    if (code == EAI_SYSTEM) return failure_of(errno);
    if (code != 0) return failure(error::resolver(code));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{list, ::freeaddrinfo};

    std::vector<address> all;
    for (const auto* each = list; each != nullptr; each = each->ai_next) {
        if (const auto one = address::from(each->ai_addr, each->ai_addrlen)) {
            all.push_back(one->with_port(found->port));
        }
    }
    if (all.empty()) return failure(error::resolver(EAI_NODATA));
    return all;
}

std::string why_no_address(std::string_view text) {
    const auto found = read(text);
    if (found) return {};
    const auto given = wire::in_quotes(text);
    switch (found.error()) {
        case problem::empty: return "the address is empty; write HOST:PORT, as in 127.0.0.1:5000";
        case problem::no_port:
            return fmt::format("{} has no port; write HOST:PORT, as in 127.0.0.1:5000", given);
        case problem::no_host:
            return fmt::format(
                "{} has no host; write PORT alone for this machine, or *:PORT for every "
                "network it is on",
                given);
        case problem::odd_port:
            return fmt::format("the port of {} is not a number; a port is 0 to 65535", given);
        case problem::port_too_large:
            return fmt::format("the port of {} is too large; a port is 0 to 65535", given);
        case problem::open_bracket:
            return fmt::format("{} opens a bracket and never closes it; write [::1]:PORT", given);
        case problem::bare_v6:
            return fmt::format("{} needs brackets around its IPv6 address; write [::1]:PORT",
                               given);
        case problem::odd_v4:
            return fmt::format(
                "the host of {} is not an IPv4 address; one is four numbers up to 255, as in "
                "127.0.0.1:5000",
                given);
        case problem::odd_v6:
            return fmt::format("the host of {} is not an IPv6 address; write [::1]:PORT", given);
        case problem::odd_name:
            return fmt::format(
                "the host of {} is neither a name nor an address; write HOST:PORT, as in "
                "127.0.0.1:5000",
                given);
        case problem::no_path:
            return fmt::format(
                "{} names no socket; write unix:/PATH, or unix:@NAME for an abstract name", given);
        case problem::long_path:
            return fmt::format("the path of {} is too long; a Unix socket has up to 107 bytes",
                               given);
    }
    return {};
}

}  // namespace sluice::net
