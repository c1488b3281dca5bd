// Files without names, then names for them in one step.
#include "sluice/service/files/store.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/service/files/digest.hpp"
#include "sluice/transfer/reservation.hpp"

namespace sluice::service::files {
namespace {

constexpr std::string_view half_done = ".sluice-";
constexpr std::string_view partial = ".sluice-part-";
// Somebody may keep the names of a directory for himself for so long; asked again and again.
constexpr auto name_lock_time = std::chrono::seconds{5};
constexpr auto name_lock_pause = std::chrono::milliseconds{1};
constexpr mode_t mode_of_files = 0644;
constexpr mode_t mode_of_folders = 0755;

std::string path_of(int file) {
    return fmt::format("/proc/self/fd/{}", file);
}

/// A directory of its own description, so that reading it does not move the store's.
struct directory_closer {
    void operator()(DIR* d) const noexcept { ::closedir(d); }
};
using directory_reader = std::unique_ptr<DIR, directory_closer>;

result<directory_reader> reader_of(unique_fd directory) {
    directory_reader reader{::fdopendir(directory.get())};
    if (!reader) return failure_of(errno);
    static_cast<void>(directory.release());
    return reader;
}

result<void> sync(int file) noexcept {
    if (::fsync(file) < 0) return failure_of(errno);
    return {};
}

/// Beneath `directory`, through no symbolic link (openat2(2)).
result<unique_fd> open_beneath(int directory, const char* path, std::uint64_t flags) noexcept {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    // Somebody renames something on the way, so that the kernel cannot tell whether it stays below.
    constexpr int tries = 100;
    for (int i = 0; i < tries; ++i) {
        const auto fd = ::syscall(SYS_openat2, directory, path, &how, sizeof how);
        if (fd >= 0) return unique_fd{static_cast<int>(fd)};
        if (errno != EAGAIN && errno != EINTR) break;
    }
    return failure_of(errno);
}

result<struct stat> look_at(int folder, const char* name) noexcept {
    struct stat found{};
    if (::fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) < 0) return failure_of(errno);
    return found;
}

/// Whether a file may take the place of what is there.
result<void> may_be_replaced(const struct stat& there) noexcept {
    if (S_ISDIR(there.st_mode)) return failure_of(EISDIR);
    if (!S_ISREG(there.st_mode)) return failure_of(EINVAL);
    return {};
}

/// One who writes to a partial upload, whichever process he is in (fcntl(2), F_OFD_SETLK).
result<void> lock(int file) noexcept {
    struct flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(file, F_OFD_SETLK, &whole) == 0) return {};
    return failure_of(errno == EAGAIN || errno == EACCES ? EBUSY : errno);
}

std::uint64_t size_of(const struct stat& found) noexcept {
    return static_cast<std::uint64_t>(found.st_size);
}

}  // namespace

file_state file_state::of(const struct stat& found) noexcept {
    return {.inode = found.st_ino, .size = size_of(found), .modified = found.st_mtim};
}

bool file_state::operator==(const file_state& other) const noexcept {
    return inode == other.inode && size == other.size && modified.tv_sec == other.modified.tv_sec &&
           modified.tv_nsec == other.modified.tv_nsec;
}

/// The names of one directory. Who gives or takes one shares them with others who do; who first
/// looks at what has a name has them `alone`, so that it is still so when he gives it.
class store::name_lock {
 public:
    name_lock(store& owner, bool alone) noexcept : names_{*owner.names_}, alone_{alone} {}
    name_lock(const name_lock&) = delete;
    name_lock& operator=(const name_lock&) = delete;
    ~name_lock() { release(); }

    /// `folder` is open for the caller only: then this is between processes as well as between
    /// threads. EAGAIN, or EBUSY where it `may_wait`, and has for long.
    [[nodiscard]] result<void> take(int folder, bool may_wait) noexcept {
        const auto until = std::chrono::steady_clock::now() + name_lock_time;
        while (::flock(folder, (alone_ ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
            if (errno == EINTR) continue;
            // Not every file system has locks for directories; its threads have the other one.
            if (errno != EWOULDBLOCK) break;
            if (!may_wait) return failure_of(EAGAIN);
            if (std::chrono::steady_clock::now() >= until) return failure_of(EBUSY);
            std::this_thread::sleep_for(name_lock_pause);
        }
        folder_ = folder;
        // Held for a few calls that wait for nobody, so that waiting for it is no matter.
        if (alone_) {
            names_.lock();
        } else {
            names_.lock_shared();
        }
        return {};
    }
    void release() noexcept {
        if (folder_ < 0) return;
        if (alone_) {
            names_.unlock();
        } else {
            names_.unlock_shared();
        }
        ::flock(std::exchange(folder_, -1), LOCK_UN);
    }

 private:
    std::shared_mutex& names_;
    bool alone_;
    int folder_ = -1;
};

store::store(unique_fd directory, options o)
    : directory_{std::move(directory)},
      options_{o},
      room_{std::make_unique<quota>(o.quota)},
      last_{std::make_unique<std::atomic<std::uint64_t>>(0)},
      names_{std::make_unique<std::shared_mutex>()} {}

result<store> store::open(const std::string& path, options o) {
    if (::mkdir(path.c_str(), mode_of_folders) < 0 && errno != EEXIST) return failure_of(errno);
    unique_fd directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory) return failure_of(errno);
    store made{std::move(directory), o};
    if (auto clean = made.remove_leftovers(); !clean) return failure(clean.error());
    if (made.room_->is_limited()) made.count_files();
    return made;
}

result<void> store::remove_leftovers() const {
    unique_fd again{::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!again) return failure_of(errno);
    const auto reader = reader_of(std::move(again));
    if (!reader) return failure(reader.error());
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    while (const dirent* entry = ::readdir(reader->get())) {
        const std::string_view name{entry->d_name};
        if (!name.starts_with(half_done)) continue;
        if (name.starts_with(partial)) {
            const auto found = look_at(directory_.get(), entry->d_name);
            if (found && now - found->st_mtim.tv_sec < options_.keep_partial.count()) continue;
        }
        ::unlinkat(directory_.get(), entry->d_name, 0);
    }
    return {};
}

void store::count_files() noexcept {
    namespace fs = std::filesystem;
    std::error_code unreadable;
    for (fs::recursive_directory_iterator at{path_of(directory_.get()), unreadable}, end; at != end;
         at.increment(unreadable)) {
        if (unreadable) return;
        std::error_code gone;
        if (at->is_symlink(gone) || !at->is_regular_file(gone)) continue;
        const auto size = at->file_size(gone);
        if (!gone) room_->add(size);
    }
}

std::string store::next_hidden_name() {
    return fmt::format("{}{}-{}", half_done, ::getpid(),
                       last_->fetch_add(1, std::memory_order_relaxed));
}

result<unique_fd> store::folder_of(std::string_view path, bool make) const {
    const std::string folder{split(path).folder};
    const auto flags = static_cast<std::uint64_t>(O_RDONLY | O_DIRECTORY);
    auto found = open_beneath(directory_.get(), folder.empty() ? "." : folder.c_str(), flags);
    if (found || !make || !found.error().is(ENOENT)) return found;
    found = open_beneath(directory_.get(), ".", flags);
    for (std::string_view left = folder; found && !left.empty();) {
        const auto slash = left.find('/');
        const std::string name{left.substr(0, slash)};
        left = slash == std::string_view::npos ? std::string_view{} : left.substr(slash + 1);
        const bool made = ::mkdirat(found->get(), name.c_str(), mode_of_folders) == 0;
        if (!made && errno != EEXIST) return failure_of(errno);
        if (made && options_.sync) {
            if (auto synced = sync(found->get()); !synced) return failure(synced.error());
        }
        found = open_beneath(found->get(), name.c_str(), flags);
    }
    return found;
}

result<incoming> store::receive() {
    unique_fd file{::openat(directory_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode_of_files)};
    if (file) return incoming{*this, std::move(file), {}};
    // Not every file system has files without a name (open(2), O_TMPFILE).
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) return failure_of(errno);
    std::string hidden = next_hidden_name();
    file.reset(::openat(directory_.get(), hidden.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC,
                        mode_of_files));
    if (!file) return failure_of(errno);
    return incoming{*this, std::move(file), std::move(hidden)};
}

result<incoming> store::resume(std::string_view key) {
    std::string name = std::string{partial} + std::string{key};
    for (;;) {
        unique_fd file{::openat(directory_.get(), name.c_str(),
                                O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, mode_of_files)};
        if (!file) return failure_of(errno);
        if (auto locked = lock(file.get()); !locked) return failure(locked.error());
        struct stat ours{};
        if (::fstat(file.get(), &ours) < 0) return failure_of(errno);
        // Whoever had the lock may have finished it meanwhile: then the name is another file's.
        const auto there = look_at(directory_.get(), name.c_str());
        if (!there || there->st_ino != ours.st_ino) continue;
        incoming found{*this, std::move(file), std::move(name)};
        found.resumable_ = true;
        found.counted_ = size_of(ours);
        return found;
    }
}

std::uint64_t store::arrived(std::string_view key) const {
    const std::string name = std::string{partial} + std::string{key};
    const auto found = look_at(directory_.get(), name.c_str());
    return found ? size_of(*found) : 0;
}

result<found_file> store::read(std::string_view path) const {
    if (judge_path(path).fault != path_fault::none) return failure_of(EINVAL);
    const std::string text{path};
    // Opening a pipe or a device that somebody put there would wait, or worse.
    auto file = open_beneath(directory_.get(), text.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file) return failure(file.error());
    found_file found{.file = std::move(*file)};
    if (::fstat(found.file.get(), &found.now) < 0) return failure_of(errno);
    if (S_ISDIR(found.now.st_mode)) return failure_of(EISDIR);
    if (!S_ISREG(found.now.st_mode)) return failure_of(ENXIO);
    return found;
}

result<struct stat> store::look(std::string_view path) const {
    if (judge_path(path).fault != path_fault::none) return failure_of(EINVAL);
    auto folder = folder_of(path, false);
    if (!folder) return failure(folder.error());
    return look_at(folder->get(), std::string{split(path).name}.c_str());
}

result<std::vector<listing_entry>> store::list(std::string_view path) const {
    if (!path.empty() && judge_path(path).fault != path_fault::none) return failure_of(EINVAL);
    const std::string text = path.empty() ? "." : std::string{path};
    auto folder = open_beneath(directory_.get(), text.c_str(), O_RDONLY | O_DIRECTORY);
    if (!folder) return failure(folder.error());
    const auto reader = reader_of(std::move(*folder));
    if (!reader) return failure(reader.error());
    std::vector<listing_entry> entries;
    while (const dirent* entry = ::readdir(reader->get())) {
        const std::string_view name{entry->d_name};
        if (!why_no_file_name(name).empty()) continue;
        const auto found = look_at(::dirfd(reader->get()), entry->d_name);
        if (!found) continue;
        const bool is_folder = S_ISDIR(found->st_mode);
        if (!is_folder && !S_ISREG(found->st_mode)) continue;
        entries.push_back(
            {.name = std::string{name},
             .directory = is_folder,
             .size = is_folder ? 0 : size_of(*found),
             .modified = std::chrono::sys_seconds{std::chrono::seconds{found->st_mtim.tv_sec}}});
    }
    return entries;
}

result<void> store::remove(std::string_view path, const std::optional<file_state>& only) {
    if (judge_path(path).fault != path_fault::none) return failure_of(EINVAL);
    auto folder = folder_of(path, false);
    if (!folder) return failure(folder.error());
    const std::string name{split(path).name};
    name_lock names{*this, only || room_->is_limited()};
    if (auto locked = names.take(folder->get(), true); !locked) return locked;
    const auto there = look_at(folder->get(), name.c_str());
    if (!there) return failure(there.error());
    if (auto may = may_be_replaced(*there); !may) return may;
    if (only && *only != file_state::of(*there)) return failure_of(EEXIST);
    if (::unlinkat(folder->get(), name.c_str(), 0) < 0) return failure_of(errno);
    room_->remove(size_of(*there));
    names.release();
    if (options_.sync) return sync(folder->get());
    return {};
}

incoming::incoming(store& owner, unique_fd file, std::string hidden) noexcept
    : owner_{&owner}, file_{std::move(file)}, hidden_{std::move(hidden)}, room_{*owner.room_} {}

incoming::incoming(incoming&& other) noexcept
    : owner_{other.owner_},
      file_{std::move(other.file_)},
      hidden_{std::exchange(other.hidden_, {})},
      resumable_{std::exchange(other.resumable_, false)},
      counted_{other.counted_},
      room_{std::move(other.room_)} {}

incoming::~incoming() {
    stop();
}

void incoming::stop() noexcept {
    if (!hidden_.empty() && resumable_ && size() > 0) {
        close_partial();
    } else if (!hidden_.empty()) {
        ::unlinkat(owner_->directory(), hidden_.c_str(), 0);
        owner_->room_->remove(counted_);
    }
    hidden_.clear();
    room_.settle(0);
    file_.reset();
}

/// What was reserved and not written is given back; what was written counts.
void incoming::close_partial() noexcept {
    const auto now = size();
    static_cast<void>(::ftruncate(file_.get(), static_cast<off_t>(now)));
    room_.settle(now > counted_ ? now - counted_ : 0);
}

std::uint64_t incoming::size() const noexcept {
    struct stat now{};
    return ::fstat(file_.get(), &now) < 0 ? 0 : size_of(now);
}

result<void> incoming::make_room(std::uint64_t bytes, bool on_disk) {
    if (!room_.grow_to(bytes > counted_ ? bytes - counted_ : 0)) return failure_of(EDQUOT);
    if (!on_disk || bytes == 0) return {};
    transfer::reservation disk{file_.get(), true};
    return disk.cover(bytes, false);
}

result<void> incoming::write_out() noexcept {
    if (owner_->options_.sync && ::fdatasync(file_.get()) < 0) return failure_of(errno);
    return {};
}

result<void> incoming::finish_file(const std::optional<wire::sha256_value>& digest) {
    if (digest) {
        struct stat now{};
        if (::fstat(file_.get(), &now) == 0) keep_digest(file_.get(), now, *digest);
    }
    if (owner_->options_.sync) return sync(file_.get());
    return {};
}

// linkat(2) replaces nothing: where something is to be replaced, the file first gets a hidden name.
result<void> incoming::give_hidden_name() {
    if (!hidden_.empty()) return {};
    std::string name = owner_->next_hidden_name();
    if (::linkat(AT_FDCWD, path_of(file_.get()).c_str(), owner_->directory(), name.c_str(),
                 AT_SYMLINK_FOLLOW) < 0) {
        return failure_of(errno);
    }
    hidden_ = std::move(name);
    return {};
}

result<bool> incoming::give_name(int folder, const char* name, const keep_rule& rule) {
    // Where all bytes are counted, nobody else may replace what is found here and counted off.
    store::name_lock names{*owner_, rule.holds != nullptr || owner_->room_->is_limited()};
    if (auto locked = names.take(folder, rule.may_wait); !locked) return failure(locked.error());
    for (;;) {
        const auto there = look_at(folder, name);
        if (there) {
            if (auto may = may_be_replaced(*there); !may) return failure(may.error());
            if (rule.only_new) return failure_of(EEXIST);
        } else if (!there.error().is(ENOENT)) {
            return failure(there.error());
        }
        if (rule.holds && !rule.holds(there ? &*there : nullptr)) return failure_of(EEXIST);
        const auto named = there || !hidden_.empty()
                               ? replace(folder, name, rule, there.has_value())
                               : give_free_name(folder, name);
        if (named) {
            if (there) owner_->room_->remove(size_of(*there));
            return there.has_value();
        }
        // Somebody else was faster, one who shares the names or knows nothing of locks.
        if (!named.error().is(EEXIST) || rule.only_new) return failure(named.error());
    }
}

result<void> incoming::give_free_name(int folder, const char* name) {
    if (::linkat(AT_FDCWD, path_of(file_.get()).c_str(), folder, name, AT_SYMLINK_FOLLOW) < 0) {
        return failure_of(errno);
    }
    return {};
}

result<void> incoming::replace(int folder, const char* name, const keep_rule& rule, bool found) {
    if (auto named = give_hidden_name(); !named) return named;
    const bool only_free = rule.only_new || (rule.holds && !found);
    const unsigned flags = only_free ? RENAME_NOREPLACE : 0;
    if (::renameat2(owner_->directory(), hidden_.c_str(), folder, name, flags) < 0) {
        return failure_of(errno);
    }
    hidden_.clear();
    return {};
}

result<bool> incoming::keep(std::string_view path, const keep_rule& rule) {
    if (judge_path(path).fault != path_fault::none) return failure_of(EINVAL);
    if (auto done = finish_file(rule.digest); !done) return failure(done.error());
    auto folder = owner_->folder_of(path, true);
    if (!folder) return failure(folder.error());
    const auto replaced = give_name(folder->get(), std::string{split(path).name}.c_str(), rule);
    if (!replaced) return replaced;
    const auto now = size();
    room_.settle(now > counted_ ? now - counted_ : 0);
    if (owner_->options_.sync) {
        if (auto synced = sync(folder->get()); !synced) return failure(synced.error());
    }
    return replaced;
}

result<std::string> incoming::keep_under_new_name() {
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    for (unsigned number = 1;; ++number) {
        std::string name = fmt::format("upload-{:%Y%m%d-%H%M%S}-{}", fmt::gmtime(now), number);
        auto kept = keep(name, {.only_new = true});
        if (kept) return name;
        if (!kept.error().is(EEXIST)) return failure(kept.error());
    }
}

}  // namespace sluice::service::files
