// Implements read_text: reads to the end, as files of /proc and /sys do not know their size.
#include "sluice/cli/text_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "sluice/base/fd.hpp"

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

}  // namespace sluice::cli
