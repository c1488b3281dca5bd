// Implements reading, sorting and hashing the entries of a directory.
#include "sluice/files/server/folder.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "sluice/files/server/beneath.hpp"
#include "sluice/files/server/path.hpp"
#include "sluice/os/directory_reader.hpp"

namespace sluice::files {
namespace {

std::int64_t nanoseconds(const timespec& t) noexcept {
    return std::chrono::nanoseconds{std::chrono::seconds{t.tv_sec}}.count() + t.tv_nsec;
}

/// FNV-1a, a hash that differs between the states of a directory.
class hasher {
 public:
    void add(std::string_view text) noexcept {
        for (const char c : text) add_byte(static_cast<unsigned char>(c));
        add_byte(0);
    }
    void add(std::uint64_t number) noexcept {
        for (int shift = 0; shift < 64; shift += 8) add_byte((number >> shift) & 0xff);
    }
    [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
    void add_byte(std::uint64_t byte) noexcept { value_ = (value_ ^ byte) * 0x100000001b3; }

    std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace

folder_version folder_version::of(const struct stat& found) noexcept {
    return {.device = found.st_dev,
            .inode = found.st_ino,
            .modified = nanoseconds(found.st_mtim),
            .changed = nanoseconds(found.st_ctim)};
}

std::size_t folder_contents::memory() const noexcept {
    std::size_t taken = sizeof(folder_contents);
    for (const auto& each : entries) taken += sizeof each + each.name.capacity();
    return taken;
}

void put_in_order(folder_contents& what) {
    std::ranges::sort(what.entries, [](const listing_entry& a, const listing_entry& b) {
        return a.directory != b.directory ? a.directory : a.name < b.name;
    });
    hasher hash;
    for (const auto& each : what.entries) {
        hash.add(each.name);
        hash.add(static_cast<std::uint64_t>(each.modified.time_since_epoch().count()));
        hash.add(each.directory ? ~std::uint64_t{0} : each.size);
        what.folders += each.directory ? 1 : 0;
        what.bytes += each.directory ? 0 : each.size;
    }
    hash.add(what.unlisted);
    hash.add(what.omitted);
    what.hash = hash.value();
}

result<folder_contents> read_folder(unique_fd folder, std::size_t most) {
    os::directory_reader reader{std::move(folder)};
    folder_contents found;
    for (;;) {
        const auto entry = reader.next();
        if (!entry) return failure(entry.error());
        if (*entry == nullptr) break;
        const std::string_view name{(*entry)->d_name};
        if (name.starts_with('.')) continue;
        if (!why_no_file_name(name).empty()) {
            ++found.unlisted;
            continue;
        }
        if (found.entries.size() == most) {
            ++found.omitted;
            continue;
        }
        const auto there = look_at(reader.fd(), (*entry)->d_name);
        if (!there) continue;
        const bool is_folder = S_ISDIR(there->st_mode);
        if (!is_folder && !S_ISREG(there->st_mode)) continue;
        found.entries.push_back(
            {.name = std::string{name},
             .directory = is_folder,
             .size = is_folder ? 0 : size_of(*there),
             .modified = std::chrono::sys_seconds{std::chrono::seconds{there->st_mtim.tv_sec}}});
    }
    put_in_order(found);
    return found;
}

}  // namespace sluice::files
