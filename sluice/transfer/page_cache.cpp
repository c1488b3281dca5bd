// Implements the page cache queries: cachestat(2), mincore(2), posix_fadvise(2).
#include "sluice/transfer/page_cache.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "sluice/base/bytes.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::transfer {
namespace {

std::uint64_t page_size() noexcept {
    return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

result<std::uint64_t> size_of(int file) noexcept {
    struct stat about{};
    if (const int failed = os::sys().fstat(file, about); failed < 0) return failure_of(-failed);
    return static_cast<std::uint64_t>(about.st_size);
}

result<std::uint64_t> count_mapped(int file, std::uint64_t size) {
    constexpr std::uint64_t piece = std::uint64_t{1} << 30;
    os::kernel& sys = os::sys();
    const auto page = page_size();
    std::vector<unsigned char> present;
    std::uint64_t pages = 0;
    for (std::uint64_t at = 0; at < size; at += piece) {
        const auto length = std::min(piece, size - at);
        void* where = nullptr;
        int failed = sys.mmap(where, nullptr, length, PROT_READ, MAP_SHARED, file, at);
        if (failed < 0) return failure_of(-failed);
        present.assign((length + page - 1) / page, 0);
        failed = sys.mincore(where, length, present.data());
        sys.munmap(where, length);
        if (failed < 0) return failure_of(-failed);
        pages += static_cast<std::uint64_t>(
            std::ranges::count_if(present, [](unsigned char p) { return (p & 1U) != 0; }));
    }
    return pages * page;
}

}  // namespace

result<std::uint64_t> cached_bytes(int file) noexcept {
    const auto size = size_of(file);
    if (!size || *size == 0) return size;
    const auto cached = os::sys().cached_bytes(file, 0, *size);
    if (cached >= 0) return static_cast<std::uint64_t>(cached);
    return count_mapped(file, *size);
}

result<void> make_cold(int file) noexcept {
    os::kernel& sys = os::sys();
    int failed = sys.fdatasync(file);
    if (failed < 0 && failed != -EINVAL) return failure_of(-failed);
    failed = sys.posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    if (failed < 0) return failure_of(-failed);
    return {};
}

result<void> make_warm(int file) noexcept {
    std::array<std::byte, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    std::uint64_t at = 0;
    for (;;) {
        const ssize_t got = os::sys().pread(file, buffer, at);
        if (got < 0) return failure_of(static_cast<int>(-got));
        if (got == 0) return {};
        at += static_cast<std::uint64_t>(got);
    }
}

result<void> drop_caches() noexcept {
    os::kernel& sys = os::sys();
    sys.sync();
    const unique_fd file{sys.openat(AT_FDCWD, "/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC)};
    if (!file) return failure_of(-file.get());
    const auto written = sys.write(file.get(), as_bytes("3"));
    if (written < 0) return failure_of(static_cast<int>(-written));
    return {};
}

}  // namespace sluice::transfer
