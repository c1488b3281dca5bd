// Implements reading and writing of text files. Reads to the end, as files of /proc and /sys do not
// know their size.
#include "sluice/cli/text_file.hpp"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "sluice/base/bytes.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {

result<std::string> read_text(const std::filesystem::path& path) {
    constexpr std::size_t most = std::size_t{16} << 20U;
    const unique_fd file{os::sys().openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) return failure_of(-file.get());
    std::string text;
    std::array<std::byte, 4096> piece{};
    while (text.size() <= most) {
        const auto got = os::sys().read(file.get(), piece);
        if (got == 0) return text;
        if (got > 0) {
            text += as_text(const_bytes{piece}.first(static_cast<std::size_t>(got)));
        } else if (got != -EINTR) {
            return failure_of(static_cast<int>(-got));
        }
    }
    return failure_of(EFBIG);
}

result<void> write_text(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto written = os::sys().write(fd, as_bytes(text));
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (written != -EINTR) {
            return failure_of(static_cast<int>(-written));
        }
    }
    return {};
}

result<void> replace_text(const std::filesystem::path& path, const std::filesystem::path& temporary,
                          std::string_view text) {
    os::kernel& sys = os::sys();
    const unique_fd file{sys.openat(AT_FDCWD, temporary.c_str(),
                                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644)};
    if (!file) return failure_of(-file.get());
    auto done = write_text(file.get(), text);
    if (done) {
        const int failed = sys.renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), 0);
        if (failed < 0) done = failure_of(-failed);
    }
    if (!done) sys.unlinkat(AT_FDCWD, temporary.c_str(), 0);
    return done;
}

}  // namespace sluice::cli
