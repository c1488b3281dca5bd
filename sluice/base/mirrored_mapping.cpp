// Implements mirrored_mapping: maps one memfd twice into one address reservation.
#include "sluice/base/mirrored_mapping.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "sluice/base/fd.hpp"

namespace sluice {

result<mirrored_mapping> mirrored_mapping::create(std::size_t size) noexcept {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    size = (size + page - 1) / page * page;
    const unique_fd file{::memfd_create("ring", MFD_CLOEXEC)};
    if (!file) return failure_of(errno);
    if (::ftruncate(file.get(), static_cast<off_t>(size)) < 0) return failure_of(errno);
    void* reservation =
        ::mmap(nullptr, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reservation == MAP_FAILED) return failure_of(errno);
    mirrored_mapping made{static_cast<char*>(reservation), size};
    for (char* half : {made.start_, made.start_ + size}) {
        void* at =
            ::mmap(half, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file.get(), 0);
        if (at == MAP_FAILED) return failure_of(errno);
    }
    return made;
}

mirrored_mapping::~mirrored_mapping() {
    if (start_ != nullptr) ::munmap(start_, 2 * size_);
}

}  // namespace sluice
