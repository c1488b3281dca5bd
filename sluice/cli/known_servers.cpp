// Implements known_servers over read(2) and an append that is one write(2).
#include "sluice/cli/known_servers.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "sluice/base/bytes.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {

result<std::optional<std::string>> known_servers::find(std::string_view server) const {
    const unique_fd from{os::sys().openat(AT_FDCWD, file_.c_str(), O_RDONLY | O_CLOEXEC)};
    if (from.get() == -ENOENT) return std::optional<std::string>{};
    if (!from) return failure_of(-from.get());
    std::string text;
    std::array<std::byte, 4096> piece{};
    for (;;) {
        const auto n = os::sys().read(from.get(), piece);
        if (n < 0) return failure_of(static_cast<int>(-n));
        if (n == 0) break;
        text += as_text(const_bytes{piece}.first(static_cast<std::size_t>(n)));
    }
    std::optional<std::string> found;
    for (std::string_view rest = text; !rest.empty();) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const auto blank = line.find(' ');
        if (blank == std::string_view::npos || line.substr(0, blank) != server) continue;
        found = line.substr(blank + 1);
    }
    return found;
}

result<void> known_servers::add(std::string_view server, std::string_view fingerprint) const {
    const unique_fd to{
        os::sys().openat(AT_FDCWD, file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
    if (!to) return failure_of(-to.get());
    const std::string line = fmt::format("{} {}\n", server, fingerprint);
    const auto n = os::sys().write(to.get(), as_bytes(line));
    if (n < 0) return failure_of(static_cast<int>(-n));
    return {};
}

}  // namespace sluice::cli
