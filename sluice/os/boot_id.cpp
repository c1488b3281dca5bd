// Implements boot_id(): reads the name of this boot from /proc.
#include "sluice/os/boot_id.hpp"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>

#include "sluice/base/bytes.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::os {

result<std::string> boot_id() {
    kernel& k = sys();
    const unique_fd file{
        k.openat(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)};
    if (file.get() == -ENOENT) return std::string{};
    if (!file) return failure_of(-file.get());
    std::array<std::byte, 64> text{};
    ssize_t n = -EINTR;
    while (n == -EINTR) n = k.read(file.get(), text);
    if (n < 0) return failure_of(static_cast<int>(-n));
    const auto line = as_text(std::span{text}.first(static_cast<std::size_t>(n)));
    return std::string{line.substr(0, line.find('\n'))};
}

}  // namespace sluice::os
