// Implements digests of files: reading, and the attribute with its cache.
#include "sluice/files/digest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <string_view>

#include "sluice/os/kernel.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::files {
namespace {

// Bytes per read: they stay in the cache of the core between the read and the digest.
constexpr std::size_t digest_read_size = std::size_t{256} << 10;
constexpr const char* digest_attribute = "user.sluice.sha256";
constexpr std::size_t digits = 64;

/// A cached result of kept_digest() for a file; all zeros in an unused slot.
struct cached_digest {
    ino_t inode;
    dev_t device;
    timespec changed;  // st_ctim, which setting an attribute changes
    bool known;
    http::sha256_value digest;
};
constexpr std::size_t max_cached_digests = 16'384;

/// The slot of this file in the cache of the thread; nullptr without memory.
cached_digest* digest_slot_for(const struct stat& now) noexcept {
    // Untouched pages of the mapping cost nothing.
    thread_local const result<mapping> memory =
        mapping::create(max_cached_digests * sizeof(cached_digest));
    if (!memory) return nullptr;
    return static_cast<cached_digest*>(memory->data()) + (now.st_ino % max_cached_digests);
}

bool matches(const cached_digest& r, const struct stat& now) noexcept {
    return r.inode == now.st_ino && r.device == now.st_dev &&
           r.changed.tv_sec == now.st_ctim.tv_sec && r.changed.tv_nsec == now.st_ctim.tv_nsec;
}

/// `HEX SIZE SECONDS.NANOSECONDS`, the modification time.
std::string attribute_for(const struct stat& now, std::string_view hex) {
    return fmt::format("{} {} {}.{:09}", hex, now.st_size, now.st_mtim.tv_sec, now.st_mtim.tv_nsec);
}

}  // namespace

bool running_digest::become(const running_digest& other) noexcept {
    if (!sum_.become(other.sum_)) return false;
    place_ = other.place_;
    return true;
}

result<void> running_digest::go_to(int file, std::uint64_t end) {
    // Per thread, not per digest: there is a digest per stalled upload.
    thread_local const std::unique_ptr<std::byte[]> buffer{new (std::nothrow)
                                                               std::byte[digest_read_size]};
    if (buffer == nullptr) return failure_of(ENOMEM);
    while (place_ < end) {
        const auto wanted =
            static_cast<std::size_t>(std::min<std::uint64_t>(end - place_, digest_read_size));
        const auto n = os::sys().pread(file, {buffer.get(), wanted}, place_);
        if (n == -EINTR) continue;
        if (n < 0) return failure_of(static_cast<int>(-n));
        if (n == 0) break;
        sum_.add({buffer.get(), static_cast<std::size_t>(n)});
        place_ += static_cast<std::uint64_t>(n);
    }
    return {};
}

result<http::sha256_value> digest_of(int file) {
    running_digest all;
    auto read = all.go_to(file, std::numeric_limits<std::uint64_t>::max());
    if (!read) return failure(read.error());
    return all.finish();
}

std::string short_hash_of(std::string_view text) {
    return http::to_hex(sha256_of(text)).substr(0, 32);
}

void keep_digest(int file, const struct stat& now, const http::sha256_value& digest) noexcept {
    // A failure is ignored: without the attribute the digest is computed again on request.
    try {
        const std::string text = attribute_for(now, http::to_hex(digest));
        static_cast<void>(os::sys().fsetxattr(file, digest_attribute, text.data(), text.size()));
    } catch (const std::bad_alloc&) {
        return;
    }
}

std::optional<http::sha256_value> kept_digest(int file, const struct stat& now) noexcept {
    std::array<char, 128> buffer{};
    const auto length = os::sys().fgetxattr(file, digest_attribute, buffer.data(), buffer.size());
    if (length < static_cast<ssize_t>(digits)) return std::nullopt;
    const std::string_view text{buffer.data(), static_cast<std::size_t>(length)};
    try {
        if (text != attribute_for(now, text.substr(0, digits))) return std::nullopt;
    } catch (const std::bad_alloc&) {
        return std::nullopt;
    }
    return http::sha256_from_hex(text.substr(0, digits));
}

std::optional<http::sha256_value> remembered_digest(int file, const struct stat& now) noexcept {
    cached_digest* const entry = digest_slot_for(now);
    if (entry == nullptr) return kept_digest(file, now);
    if (!matches(*entry, now)) {
        const auto found = kept_digest(file, now);
        *entry = {.inode = now.st_ino,
                  .device = now.st_dev,
                  .changed = now.st_ctim,
                  .known = found.has_value(),
                  .digest = found.value_or(http::sha256_value{})};
    }
    if (!entry->known) return std::nullopt;
    return entry->digest;
}

}  // namespace sluice::files
