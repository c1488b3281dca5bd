// Implements the page cache queries: cachestat(2), mincore(2), posix_fadvise(2).
#include "sluice/transfer/page_cache.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "sluice/os/fd.hpp"

namespace sluice::transfer {
namespace {

// As in linux/mman.h since Linux 6.5.
struct cachestat_range {
    std::uint64_t offset;
    std::uint64_t length;
};
struct cachestat {
    std::uint64_t cached;
    std::uint64_t dirty;
    std::uint64_t written;
    std::uint64_t evicted;
    std::uint64_t lately_evicted;
};
constexpr long cachestat_call = 451;

std::uint64_t page_size() noexcept {
    return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

result<std::uint64_t> size_of(int file) noexcept {
    struct stat about{};
    if (::fstat(file, &about) != 0) return failure_of(errno);
    return static_cast<std::uint64_t>(about.st_size);
}

result<std::uint64_t> count_mapped(int file, std::uint64_t size) {
    constexpr std::uint64_t piece = std::uint64_t{1} << 30;
    const auto page = page_size();
    std::vector<unsigned char> present;
    std::uint64_t pages = 0;
    for (std::uint64_t at = 0; at < size; at += piece) {
        const auto length = std::min(piece, size - at);
        void* where = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, file, static_cast<off_t>(at));
        if (where == MAP_FAILED) return failure_of(errno);
        present.assign((length + page - 1) / page, 0);
        const int status = ::mincore(where, length, present.data());
        const int code = errno;
        ::munmap(where, length);
        if (status != 0) return failure_of(code);
        pages += static_cast<std::uint64_t>(
            std::ranges::count_if(present, [](unsigned char p) { return (p & 1U) != 0; }));
    }
    return pages * page;
}

}  // namespace

result<std::uint64_t> cached_bytes(int file) noexcept {
    const auto size = size_of(file);
    if (!size || *size == 0) return size;
    const cachestat_range all{.offset = 0, .length = *size};
    cachestat found{};
    if (::syscall(cachestat_call, file, &all, &found, 0U) == 0) return found.cached * page_size();
    return count_mapped(file, *size);
}

result<void> make_cold(int file) noexcept {
    if (::fdatasync(file) != 0 && errno != EINVAL) return failure_of(errno);
    if (const int code = ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED); code != 0) {
        return failure_of(code);
    }
    return {};
}

result<void> make_warm(int file) noexcept {
    std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    off_t at = 0;
    for (;;) {
        const ssize_t got = ::pread(file, buffer.data(), buffer.size(), at);
        if (got < 0) return failure_of(errno);
        if (got == 0) return {};
        at += got;
    }
}

result<void> drop_caches() noexcept {
    ::sync();
    const unique_fd file{::open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC)};
    if (!file || ::write(file.get(), "3", 1) != 1) return failure_of(errno);
    return {};
}

}  // namespace sluice::transfer
