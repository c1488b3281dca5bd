// read(2) until the end.
#include "sluice/base/small_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "sluice/base/fd.hpp"

namespace sluice {

std::optional<std::string> read_small_file(const std::filesystem::path& path) {
    constexpr std::size_t most = std::size_t{16} << 20;
    constexpr std::size_t step = 4096;
    const unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
    if (!file) return std::nullopt;
    std::string text;
    while (text.size() < most) {
        const auto before = text.size();
        text.resize(before + step);
        const auto got = ::read(file.get(), text.data() + before, step);
        text.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::nullopt;
        if (got == 0) break;
    }
    return text;
}

}  // namespace sluice
