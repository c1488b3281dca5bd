// Implements reading and writing of text files. Reads to the end, as files of /proc and /sys do not
// know their size.
#include "sluice/cli/text_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "sluice/os/fd.hpp"

namespace sluice::cli {

result<std::string> read_text(const std::filesystem::path& path) {
    constexpr std::size_t most = std::size_t{16} << 20U;
    const unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) return failure_of(errno);
    std::string text;
    std::array<char, 4096> piece{};
    while (text.size() <= most) {
        const auto got = ::read(file.get(), piece.data(), piece.size());
        if (got == 0) return text;
        if (got > 0) {
            text.append(piece.data(), static_cast<std::size_t>(got));
        } else if (errno != EINTR) {
            return failure_of(errno);
        }
    }
    return failure_of(EFBIG);
}

result<void> write_text(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(fd, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno != EINTR) {
            return failure_of(errno);
        }
    }
    return {};
}

result<void> replace_text(const std::filesystem::path& path, const std::filesystem::path& temporary,
                          std::string_view text) {
    const unique_fd file{
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644)};
    if (!file) return failure_of(errno);
    auto done = write_text(file.get(), text);
    if (done && ::rename(temporary.c_str(), path.c_str()) != 0) done = failure_of(errno);
    if (!done) ::unlink(temporary.c_str());
    return done;
}

}  // namespace sluice::cli
