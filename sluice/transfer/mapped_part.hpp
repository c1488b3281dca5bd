// Maps a part of a file for the kernel to read from.
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::transfer {

/// A mapped part of a file for the kernel to read from. The CPU never touches it in user space,
/// where a file that is truncated meanwhile would raise SIGBUS; a system call returns EFAULT.
class mapped_part {
 public:
    static result<mapped_part> create(int file, std::uint64_t offset, std::size_t length) noexcept {
        const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        const std::uint64_t start = offset / page * page;
        const auto lead = static_cast<std::size_t>(offset - start);
        os::kernel& sys = os::sys();
        void* address = nullptr;
        const int failed =
            sys.mmap(address, nullptr, lead + length, PROT_READ, MAP_SHARED, file, start);
        if (failed < 0) return failure_of(-failed);
        sys.madvise(address, lead + length, MADV_SEQUENTIAL);
        return mapped_part{address, lead, length};
    }
    mapped_part(mapped_part&& other) noexcept
        : address_{std::exchange(other.address_, nullptr)},
          lead_{other.lead_},
          length_{other.length_} {}
    mapped_part& operator=(mapped_part&&) = delete;
    mapped_part(const mapped_part&) = delete;
    mapped_part& operator=(const mapped_part&) = delete;
    ~mapped_part() {
        if (address_ != nullptr) os::sys().munmap(address_, lead_ + length_);
    }
    [[nodiscard]] const_bytes bytes() const noexcept {
        return const_bytes{static_cast<const std::byte*>(address_), lead_ + length_}.subspan(lead_);
    }

 private:
    mapped_part(void* address, std::size_t lead, std::size_t length) noexcept
        : address_{address}, lead_{lead}, length_{length} {}
    void* address_;
    std::size_t lead_;
    std::size_t length_;
};

/// How many of `length` bytes from `offset` the file still has; fault::ended if none. A mapped page
/// reads as zeros beyond the end, which are not content.
[[nodiscard]] inline result<std::size_t> remaining_length(int file, std::uint64_t offset,
                                                          std::size_t length) noexcept {
    struct stat now{};
    if (const int failed = os::sys().fstat(file, now); failed < 0) return failure_of(-failed);
    const auto size = static_cast<std::uint64_t>(now.st_size);
    if (size <= offset) return failure(fault::ended);
    return static_cast<std::size_t>(std::min<std::uint64_t>(size - offset, length));
}

/// EFAULT on a mapped page means that the file was truncated: fault::ended.
[[nodiscard]] inline error mapped_error(error e) noexcept {
    return e.is(EFAULT) ? error{fault::ended} : e;
}

}  // namespace sluice::transfer
