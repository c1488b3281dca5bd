// A mapped part of a file, for the kernel to read from.
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

namespace sluice::transfer {

/// A part of a file, mapped for the kernel to read from. The CPU never touches it in user space,
/// where a file that was cut short meanwhile would end the process (SIGBUS); a call hears EFAULT.
class mapped_part {
 public:
    static result<mapped_part> create(int file, std::uint64_t offset, std::size_t length) noexcept {
        const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        const std::uint64_t start = offset / page * page;
        const auto lead = static_cast<std::size_t>(offset - start);
        void* where =
            ::mmap(nullptr, lead + length, PROT_READ, MAP_SHARED, file, static_cast<off_t>(start));
        if (where == MAP_FAILED) return failure_of(errno);
        ::madvise(where, lead + length, MADV_SEQUENTIAL);
        return mapped_part{where, lead, length};
    }
    mapped_part(mapped_part&& other) noexcept
        : where_{std::exchange(other.where_, nullptr)},
          lead_{other.lead_},
          length_{other.length_} {}
    mapped_part& operator=(mapped_part&&) = delete;
    mapped_part(const mapped_part&) = delete;
    mapped_part& operator=(const mapped_part&) = delete;
    ~mapped_part() {
        if (where_ != nullptr) ::munmap(where_, lead_ + length_);
    }
    [[nodiscard]] const_bytes bytes() const noexcept {
        return const_bytes{static_cast<const std::byte*>(where_), lead_ + length_}.subspan(lead_);
    }

 private:
    mapped_part(void* where, std::size_t lead, std::size_t length) noexcept
        : where_{where}, lead_{lead}, length_{length} {}
    void* where_;
    std::size_t lead_;
    std::size_t length_;
};

/// How much of `length` bytes from `offset` the file still has. Behind its end a mapped page has
/// zeros, which are none of it.
[[nodiscard]] inline result<std::size_t> still_there(int file, std::uint64_t offset,
                                                     std::size_t length) noexcept {
    struct stat now{};
    if (::fstat(file, &now) < 0) return failure_of(errno);
    const auto size = static_cast<std::uint64_t>(now.st_size);
    if (size <= offset) return failure(fault::ended);
    return static_cast<std::size_t>(std::min<std::uint64_t>(size - offset, length));
}

/// A page that is not there any more is the end of a file that was cut short.
[[nodiscard]] inline error of_mapped(error e) noexcept {
    return e.is(EFAULT) ? error{fault::ended} : e;
}

}  // namespace sluice::transfer
