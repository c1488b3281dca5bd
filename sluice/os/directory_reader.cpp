// Implements directory_reader over getdents64(2).
#include "sluice/os/directory_reader.hpp"

#include <cerrno>
#include <new>
#include <utility>

namespace sluice::os {
namespace {

constexpr std::size_t buffer_size = std::size_t{32} << 10;

}  // namespace

directory_reader::directory_reader(unique_fd directory) noexcept
    : directory_{std::move(directory)}, buffer_{new(std::nothrow) std::byte[buffer_size]} {}

result<const dirent64*> directory_reader::next() noexcept {
    if (buffer_ == nullptr) return failure_of(ENOMEM);
    if (left_.empty()) {
        const auto read = sys().getdents64(fd(), {buffer_.get(), buffer_size});
        // A removed directory has no entries.
        if (read == -ENOENT) return nullptr;
        if (read < 0) return failure_of(static_cast<int>(-read));
        if (read == 0) return nullptr;
        left_ = {buffer_.get(), static_cast<std::size_t>(read)};
    }
    // The kernel aligns each entry for its type.
    const auto* entry = reinterpret_cast<const dirent64*>(left_.data());
    left_ = left_.subspan(entry->d_reclen);
    return entry;
}

}  // namespace sluice::os
