// Implements mirrored_mapping: maps one memfd twice into one address reservation.
#include "sluice/os/mirrored_mapping.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include "sluice/os/fd.hpp"

namespace sluice {

result<mirrored_mapping> mirrored_mapping::create(std::size_t size) noexcept {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    size = (size + page - 1) / page * page;
    os::kernel& sys = os::sys();
    const unique_fd file{sys.memfd_create("ring", MFD_CLOEXEC)};
    if (!file) return failure_of(-file.get());
    if (const int failed = sys.ftruncate(file.get(), size); failed < 0) return failure_of(-failed);
    void* reservation = nullptr;
    if (const int failed = sys.mmap(reservation, nullptr, 2 * size, PROT_NONE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        failed < 0) {
        return failure_of(-failed);
    }
    mirrored_mapping made{static_cast<char*>(reservation), size};
    for (char* half : {made.start_, made.start_ + size}) {
        void* at = nullptr;
        const int failed =
            sys.mmap(at, half, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file.get(), 0);
        if (failed < 0) return failure_of(-failed);
    }
    return made;
}

mirrored_mapping::~mirrored_mapping() {
    if (start_ != nullptr) os::sys().munmap(start_, 2 * size_);
}

}  // namespace sluice
