// Implements the options of TLS of clients, and the question about an unknown server.
#include "sluice/cli/client_tls.hpp"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <termios.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <csignal>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/cli/known_servers.hpp"
#include "sluice/cli/state_directory.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

constexpr std::string_view tls_prefix = "tls://";

/// 64 hexadecimal digits, with colons between pairs or not, as programs print fingerprints.
reading<std::string> read_fingerprint(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c == ':') continue;
        const auto byte = static_cast<unsigned char>(c);
        if (std::isxdigit(byte) == 0) break;
        digits.push_back(static_cast<char>(std::tolower(byte)));
    }
    constexpr std::size_t all = 64;
    const auto colons = static_cast<std::size_t>(std::ranges::count(text, ':'));
    if (digits.size() != all || digits.size() + colons != text.size()) {
        return std::unexpected{in_quotes(text) +
                               " is no SHA-256 fingerprint; write 64 hexadecimal digits"};
    }
    return digits;
}

/// The host in HOST:PORT, [HOST]:PORT or PORT.
std::string host_of(std::string_view authority) {
    const auto colon = authority.rfind(':');
    if (colon == std::string_view::npos) return "localhost";
    auto host = authority.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return std::string{host.empty() ? "localhost" : host};
}

/// While it lives, lines can be typed on a terminal, and Ctrl-C is a signal, whatever an editor has
/// made of it.
class line_mode {
 public:
    explicit line_mode(int terminal) noexcept : terminal_{terminal} {
        os::sys().ioctl(terminal_, TCGETS, &before_);
        termios lines = before_;
        lines.c_iflag |= ICRNL;
        lines.c_oflag |= OPOST;
        lines.c_lflag |= ICANON | ECHO | ISIG;
        os::sys().ioctl(terminal_, TCSETSW, &lines);
    }
    line_mode(const line_mode&) = delete;
    line_mode& operator=(const line_mode&) = delete;
    ~line_mode() { os::sys().ioctl(terminal_, TCSETSW, &before_); }

 private:
    int terminal_;
    termios before_{};
};

/// While it lives, the calling thread takes signals only in a ppoll(2) with this mask: none comes
/// between what is shown and the wait for an answer.
class signals_while_waiting {
 public:
    signals_while_waiting() noexcept {
        sigset_t all;
        sigfillset(&all);
        os::sys().mask_signals(SIG_SETMASK, &all, &before_);
    }
    signals_while_waiting(const signals_while_waiting&) = delete;
    signals_while_waiting& operator=(const signals_while_waiting&) = delete;
    ~signals_while_waiting() { os::sys().mask_signals(SIG_SETMASK, &before_, nullptr); }

    [[nodiscard]] const sigset_t& mask() const noexcept { return before_; }

 private:
    sigset_t before_{};
};

/// Asks on the terminal: true for "yes", false also after a signal such as that of Ctrl-C. None
/// without a terminal.
std::optional<bool> ask_user(const std::string& question) {
    const unique_fd terminal{os::sys().openat(AT_FDCWD, "/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)};
    if (!terminal) return std::nullopt;
    const line_mode typing{terminal.get()};
    const signals_while_waiting signals;
    if (os::sys().write(terminal.get(), as_bytes(question)) < 0) return std::nullopt;
    // read(2) would go on after the signal; this never does (signal(7)).
    pollfd typed_on{.fd = terminal.get(), .events = POLLIN, .revents = 0};
    if (os::sys().ppoll({&typed_on, 1}, nullptr, &signals.mask()) < 0) return false;
    std::array<std::byte, 256> typed{};
    const auto n = os::sys().read(terminal.get(), typed);
    if (n <= 0) return false;
    return as_text(const_bytes{typed}.first(static_cast<std::size_t>(n))) == "yes\n";
}

/// What the user has said about a server before, or says now.
std::expected<void, std::string> decide(const std::string& authority,
                                        const tls::unknown_server& server) {
    const auto folder = state_directory();
    if (!folder) return std::unexpected{tls::not_trusted(server)};
    const known_servers known{*folder + "/known_servers"};
    const auto before = known.find(authority);
    if (!before) {
        return std::unexpected{
            fmt::format("cannot read {}: {}; correct it, or say --fingerprint {}", known.file(),
                        before.error().message(), server.fingerprint)};
    }
    if (*before && **before == server.fingerprint) return {};
    if (*before) {
        return std::unexpected{fmt::format(
            "THE CERTIFICATE OF {} HAS CHANGED: its SHA-256 fingerprint is {}, and was {}; either "
            "somebody stands between you and it, or it has a new one: if the one who runs it "
            "confirms that, remove its line from {}",
            authority, server.fingerprint, **before, known.file())};
    }
    const auto trusted =
        ask_user(fmt::format("The certificate of {} is vouched for by nobody you know ({}).\n"
                             "Its SHA-256 fingerprint is {}\n"
                             "Does the server say the same, and do you want to go on? (yes/no) ",
                             authority, server.why, server.fingerprint));
    if (!trusted) return std::unexpected{tls::not_trusted(server)};
    if (!*trusted) return std::unexpected{fmt::format("{} is not trusted", authority)};
    if (auto added = known.add(authority, server.fingerprint); !added) {
        return std::unexpected{
            fmt::format("cannot write {}: {}; correct it, or say --fingerprint {}", known.file(),
                        added.error().message(), server.fingerprint)};
    }
    return {};
}

}  // namespace

void add_client_tls_options(CLI::App& command, client_tls_options& into, bool with_flag) {
    if (with_flag) command.add_flag("--tls", into.asked, "Speak TLS, as tls:// says, too");
    command
        .add_option("--ca", into.authorities,
                    "Trust certificates of these authorities, in PEM (those of the system)")
        ->type_name("FILE");
    add_value(command, "--fingerprint", into.fingerprint, read_fingerprint, "HEX",
              "Trust the one certificate of this SHA-256 fingerprint");
    command.add_option("--cert", into.certificate, "Certificate of yours that the server is shown")
        ->type_name("FILE");
    command.add_option("--key", into.key, "Its key, in PEM (that in the file of --cert)")
        ->type_name("FILE");
}

reading<std::string> read_server_address(std::string_view text) {
    const auto address = text.starts_with(tls_prefix) ? text.substr(tls_prefix.size()) : text;
    if (auto why = net::why_no_address(address); !why.empty())
        return std::unexpected{std::move(why)};
    return std::string{text};
}

bool take_tls_prefix(std::string& address) {
    if (!address.starts_with(tls_prefix)) return false;
    address.erase(0, tls_prefix.size());
    return true;
}

std::expected<std::unique_ptr<tls::client_context>, std::string> open_client_tls(
    const client_tls_options& o, const std::string& authority) {
    return tls::client_context::create({.host = host_of(authority),
                                        .authorities = o.authorities,
                                        .fingerprint = o.fingerprint,
                                        .certificate = o.certificate,
                                        .key = o.key,
                                        .decide = [authority](const tls::unknown_server& server) {
                                            return decide(authority, server);
                                        }});
}

}  // namespace sluice::cli
