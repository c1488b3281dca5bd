// Implements the store: unnamed or hidden files, which get their names in one step.
#include "sluice/files/server/store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "sluice/base/sometimes.hpp"
#include "sluice/files/server/beneath.hpp"
#include "sluice/files/server/name_lock.hpp"
#include "sluice/os/boot_id.hpp"
#include "sluice/os/directory_reader.hpp"

namespace sluice::files {
namespace {

// The process's umask(2) is subtracted from these.
constexpr mode_t mode_of_files = 0666;
constexpr mode_t mode_of_folders = 0777;

/// Above a mount point there may be a file system that is read only, or cannot sync.
bool cannot_sync(const error& why) noexcept {
    return why.is(EROFS) || why.is(EINVAL);
}

/// A directory in `folder`, and whether it was made now.
result<std::pair<unique_fd, bool>> open_or_make_folder(int folder, const char* name) noexcept {
    auto found = open_folder(folder, name);
    bool is_new = false;
    if (!found && found.error().is(ENOENT)) {
        const int failed = os::sys().mkdirat(folder, name, mode_of_folders);
        if (failed < 0 && failed != -EEXIST) return failure_of(-failed);
        is_new = failed == 0;
        found = open_folder(folder, name);
    }
    if (!found) return failure(found.error());
    return std::pair{std::move(*found), is_new};
}

/// Removes incomplete files of an earlier process from `top`, except parts that can be resumed. A
/// hidden file that a process still writes is locked.
void remove_leftovers(int top) {
    auto copy = open_folder(top, ".");
    if (!copy) return;
    os::kernel& sys = os::sys();
    os::directory_reader reader{std::move(*copy)};
    while (const dirent64* entry = reader.next().value_or(nullptr)) {
        const std::string_view name{entry->d_name};
        if (!name.starts_with(hidden_prefix) || name.starts_with(parts::name_of(""))) continue;
        const auto found = look_at(top, entry->d_name);
        if (!found || !S_ISREG(found->st_mode)) continue;
        const unique_fd file{
            sys.openat(top, entry->d_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
        if (file) {
            const auto locked = lock_file(file.get());
            if (!locked && locked.error().is(EBUSY)) continue;
        }
        sometimes(rare_path::files_leftover_removed);
        sys.unlinkat(top, entry->d_name, 0);
    }
}

/// The bytes of all files in `folder` and below, but for directories that may not be read.
result<std::uint64_t> bytes_below(unique_fd folder) {
    std::uint64_t bytes = 0;
    os::directory_reader reader{std::move(folder)};
    for (;;) {
        const auto next = reader.next();
        if (!next) return failure(next.error());
        const dirent64* entry = *next;
        if (entry == nullptr) return bytes;
        const std::string_view name{entry->d_name};
        if (name == "." || name == "..") continue;
        const auto found = look_at(reader.fd(), entry->d_name);
        if (!found) continue;
        if (S_ISREG(found->st_mode)) bytes += size_of(*found);
        if (!S_ISDIR(found->st_mode)) continue;
        auto below = open_folder(reader.fd(), entry->d_name);
        if (!below && (below.error().is(EACCES) || below.error().is(ENOENT))) continue;
        if (!below) return failure(below.error());
        const auto more = bytes_below(std::move(*below));
        if (!more) return more;
        bytes += *more;
    }
}

}  // namespace

file_state file_state::of(const struct stat& found) noexcept {
    return {.inode = found.st_ino, .size = size_of(found), .modified = found.st_mtim};
}

bool file_state::operator==(const file_state& other) const noexcept {
    return inode == other.inode && size == other.size && modified.tv_sec == other.modified.tv_sec &&
           modified.tv_nsec == other.modified.tv_nsec;
}

store::store(std::unique_ptr<volumes> on, options o)
    : options_{o},
      volumes_{std::move(on)},
      quota_{std::make_unique<quota>(o.quota)},
      names_{std::make_unique<os::shared_mutex>()},
      durable_{std::make_unique<durable_folders>()} {}

result<store> store::open(const std::string& path, options o) {
    os::kernel& sys = os::sys();
    const int failed = sys.mkdirat(AT_FDCWD, path.c_str(), mode_of_folders);
    if (failed < 0 && failed != -EEXIST) return failure_of(-failed);
    unique_fd directory{sys.openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory) return failure_of(-directory.get());
    // Its own name is durable before that of the first file in it; an earlier process may have made
    // it, and ended before it could see to that.
    if (o.sync) {
        const unique_fd above{
            sys.openat(directory.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (above) {
            const auto synced = sync_file(above.get());
            if (!synced && !cannot_sync(synced.error())) return failure(synced.error());
        }
    }
    auto boot = os::boot_id();
    if (!boot) return failure(boot.error());
    auto on = volumes::open(std::move(directory));
    if (!on) return failure(on.error());
    store made{std::move(*on), o};
    for (const auto& each : made.volumes_->find_all(path)) remove_leftovers(each->top.get());
    made.take_notices(path);
    if (made.quota_->is_limited()) {
        if (auto counted = made.count_files(); !counted) return failure(counted.error());
    }
    std::string real;
    if (sys.realpath(path.c_str(), real) < 0) real = path;
    made.parts_ = std::make_unique<parts>(std::move(real), std::move(*boot), *made.volumes_,
                                          *made.quota_, o.partial);
    made.parts_->expire();
    return made;
}

void store::take_notices(const std::string& path) {
    notices_.clear();
    for (const auto& each : volumes_->find_all(path)) {
        for (auto& notice : each->can.notices()) {
            if (std::ranges::find(notices_, notice) == notices_.end()) {
                notices_.push_back(std::move(notice));
            }
        }
    }
}

void store::probe_again(const std::string& path) {
    volumes_->probe_again();
    take_notices(path);
}

bool store::set_quota(std::uint64_t bytes) noexcept {
    if (!quota_->is_limited()) return bytes == quota::unlimited;
    quota_->set_limit(bytes);
    return true;
}

result<void> store::count_files() {
    auto all = open_folder(directory(), ".");
    if (!all) return failure(all.error());
    const auto bytes = bytes_below(std::move(*all));
    if (!bytes) return failure(bytes.error());
    quota_->add(*bytes);
    return {};
}

result<store::place> store::place_for(std::string_view path) const {
    std::size_t missing = 0;
    for (std::string folder{split(path).folder};; folder = split(folder).folder) {
        auto found = open_folder(directory(), folder.empty() ? "." : folder.c_str());
        if (found) {
            if (missing > most_new_folders) return failure_of(E2BIG);
            auto on = volumes_->of(found->get(), folder);
            if (!on) return failure(on.error());
            return place{.on = std::move(*on), .folder = std::move(*found)};
        }
        if (!found.error().is(ENOENT) || folder.empty()) return failure(found.error());
        ++missing;
    }
}

result<unique_fd> store::folder_of(std::string_view path) const {
    const std::string folder{split(path).folder};
    return open_folder(directory(), folder.empty() ? "." : folder.c_str());
}

result<unique_fd> store::durable_folder_of(std::string_view path) const {
    std::string_view left = split(path).folder;
    auto whole = folder_of(path);
    if (!whole && !whole.error().is(ENOENT)) return whole;
    if (whole && (left.empty() || !options_.sync || durable_->has(whole->get()))) return whole;
    if (!whole) {
        if (auto there = place_for(path); !there) return failure(there.error());
    }
    auto found = open_folder(directory(), ".");
    while (found && !left.empty()) {
        const auto slash = left.find('/');
        const std::string name{left.substr(0, slash)};
        left = slash == std::string_view::npos ? std::string_view{} : left.substr(slash + 1);
        auto next = open_or_make_folder(found->get(), name.c_str());
        if (!next) return failure(next.error());
        auto& [folder, is_new] = *next;
        if (is_new) durable_->forget(folder.get());
        if (options_.sync && !durable_->has(folder.get())) {
            const auto synced = sync_file(found->get());
            // The next upload finds no directory.
            if (!synced && is_new) os::sys().unlinkat(found->get(), name.c_str(), AT_REMOVEDIR);
            if (!synced && (is_new || !cannot_sync(synced.error()))) {
                return failure(synced.error());
            }
            durable_->add(folder.get());
        }
        found = std::move(folder);
    }
    return found;
}

/// Where few inodes are left, small files would take those of all other users of the disk.
bool store::is_short_of_inodes(int file) const noexcept {
    struct statvfs disk{};
    // A file system without a table of inodes reports none.
    if (os::sys().fstatvfs(file, disk) < 0 || disk.f_files == 0) return false;
    return disk.f_ffree < disk.f_files / 100 * options_.free_inodes;
}

result<pending_file> store::receive(std::string_view path) {
    auto where = place_for(path);
    if (!where) return failure(where.error());
    if (is_short_of_inodes(where->folder.get())) return failure_of(ENOSPC);
    os::kernel& sys = os::sys();
    const auto& on = where->on;
    if (on->can.links_unnamed != abilities::unnamed::impossible) {
        unique_fd file{
            sys.openat(where->folder.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode_of_files)};
        if (!file) return failure(on->can.error_of(error::system(-file.get())));
        return pending_file{*this, on, std::move(file), {}};
    }
    for (;;) {
        std::string hidden = next_hidden_name();
        unique_fd file{sys.openat(on->top.get(), hidden.c_str(),
                                  O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode_of_files)};
        if (file.get() == -EEXIST) continue;
        if (!file) return failure(on->can.error_of(error::system(-file.get())));
        // The lock keeps another server of this directory, which starts now, from removing it.
        static_cast<void>(lock_file(file.get()));
        return pending_file{*this, on, std::move(file), std::move(hidden)};
    }
}

result<pending_file> store::resume(std::string_view path, std::string_view key,
                                   std::uint64_t total) {
    auto where = place_for(path);
    if (!where) return failure(where.error());
    auto file = parts_->open(*where->on, key);
    if (!file) return failure(file.error());
    pending_file found{*this, where->on, std::move(*file), parts::name_of(key)};
    found.is_part_ = found.resumable_ = true;
    found.path_ = path;
    found.total_ = total;
    found.counted_ = found.size();
    if (found.counted_ == 0 && is_short_of_inodes(found.fd())) return failure_of(ENOSPC);
    const auto known = parts_->look_up(found.fd(), found.counted_);
    sometimes(rare_path::files_resumed, known.good > 0);
    if (known.good < found.counted_) {
        sometimes(rare_path::files_part_cut);
        const int failed = os::sys().ftruncate(found.fd(), known.good);
        if (failed < 0) return failure_of(-failed);
        quota_->remove(found.counted_ - known.good);
        found.counted_ = known.good;
    }
    found.durable_ = known.durable;
    if (!known.is_current) static_cast<void>(found.describe());
    return found;
}

result<void> store::make_space_for_part(std::string_view path, std::string_view key) {
    const auto where = place_for(path);
    if (!where) return failure(where.error());
    parts_->make_space(*where->on, key);
    return {};
}

std::uint64_t store::arrived(std::string_view path, std::string_view key) const {
    const auto where = place_for(path);
    if (!where) return 0;
    const unique_fd file{os::sys().openat(where->on->top.get(), parts::name_of(key).c_str(),
                                          O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    struct stat found{};
    if (!file || os::sys().fstat(file.get(), found) < 0) return 0;
    return parts_->look_up(file.get(), size_of(found)).good;
}

result<found_file> store::read(std::string_view path) const {
    if (judge_path(path).fault != path_fault::none) return failure_of(EINVAL);
    const std::string text{path};
    // Without O_NONBLOCK and O_NOCTTY, opening a pipe or a device could wait, or worse.
    auto file = open_beneath(directory(), text.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file) return failure(file.error());
    found_file found{.file = std::move(*file)};
    const int failed = os::sys().fstat(found.file.get(), found.now);
    if (failed < 0) return failure_of(-failed);
    if (S_ISDIR(found.now.st_mode)) return failure_of(EISDIR);
    if (!S_ISREG(found.now.st_mode)) return failure_of(ENXIO);
    return found;
}

result<struct stat> store::status_of(std::string_view path) const {
    if (judge_path(path).fault != path_fault::none) return failure_of(EINVAL);
    auto folder = folder_of(path);
    if (!folder) return failure(folder.error());
    return look_at(folder->get(), std::string{split(path).name}.c_str());
}

result<void> store::sync_name(std::string_view path) const {
    if (!options_.sync) return {};
    // One that is gone is not made anew.
    if (const auto there = folder_of(path); !there) return failure(there.error());
    const auto folder = durable_folder_of(path);
    if (!folder) return failure(folder.error());
    return sync_file(folder->get());
}

result<unique_fd> store::folder(std::string_view path) const {
    if (!path.empty() && judge_path(path).fault != path_fault::none) return failure_of(EINVAL);
    return open_folder(directory(), path.empty() ? "." : std::string{path}.c_str());
}

result<void> store::remove(std::string_view path, const std::optional<file_state>& only) {
    if (judge_path(path).fault != path_fault::none) return failure_of(EINVAL);
    auto folder = folder_of(path);
    if (!folder) return failure(folder.error());
    const std::string name{split(path).name};
    name_lock names{*names_, only || quota_->is_limited()};
    if (auto locked = names.take(folder->get(), true); !locked) return locked;
    const auto there = look_at(folder->get(), name.c_str());
    if (!there) return failure(there.error());
    if (auto may = may_be_replaced(*there); !may) return may;
    if (only && *only != file_state::of(*there)) return failure_of(EEXIST);
    const int failed = os::sys().unlinkat(folder->get(), name.c_str(), 0);
    if (failed == -EROFS) {
        const auto on = volumes_->of(folder->get(), split(path).folder);
        return failure(on ? (*on)->can.error_of(error::system(EROFS)) : on.error());
    }
    if (failed < 0) return failure_of(-failed);
    quota_->remove(size_of(*there));
    names.release();
    if (options_.sync) return sync_file(folder->get());
    return {};
}

}  // namespace sluice::files
