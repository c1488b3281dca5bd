// Files without names, then names for them in one step.
#include "sluice/service/files/store.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

#include "sluice/wire/text.hpp"

namespace sluice::service::files {
namespace {

constexpr std::string_view half_done = ".sluice-";
constexpr mode_t mode_of_files = 0644;
constexpr std::size_t longest_name = 255;

std::string path_of(int file) {
    return fmt::format("/proc/self/fd/{}", file);
}

/// A directory of its own description, so that reading it does not move the store's.
struct directory_closer {
    void operator()(DIR* d) const noexcept { ::closedir(d); }
};
using directory_reader = std::unique_ptr<DIR, directory_closer>;

result<void> sync(int file) noexcept {
    if (::fsync(file) < 0) return failure_of(errno);
    return {};
}

}  // namespace

std::string why_no_file_name(std::string_view name) {
    if (name.empty()) return "a file has a name";
    if (name.size() > longest_name) return "a name has at most 255 bytes";
    if (name.front() == '.') return "a name does not begin with a dot";
    if (name.find('/') != std::string_view::npos) return "a name has no slash";
    if (!wire::is_valid_utf8(name)) return "a name is UTF-8 text";
    if (!wire::is_printable(name) || name.find('\t') != std::string_view::npos) {
        return "a name has no control characters";
    }
    return {};
}

result<store> store::open(const std::string& path, options o) {
    if (::mkdir(path.c_str(), 0755) < 0 && errno != EEXIST) return failure_of(errno);
    unique_fd directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory) return failure_of(errno);
    store made{std::move(directory), o};
    if (auto clean = made.remove_leftovers(); !clean) return failure(clean.error());
    return made;
}

result<void> store::remove_leftovers() const {
    const int again = ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (again < 0) return failure_of(errno);
    const directory_reader reader{::fdopendir(again)};
    if (!reader) return failure_of(errno);
    while (const dirent* entry = ::readdir(reader.get())) {
        if (std::string_view{entry->d_name}.starts_with(half_done)) {
            ::unlinkat(directory_.get(), entry->d_name, 0);
        }
    }
    return {};
}

std::string store::next_hidden_name() noexcept {
    return fmt::format("{}{}-{}", half_done, ::getpid(),
                       last_.fetch_add(1, std::memory_order_relaxed));
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

result<unique_fd> store::read(std::string_view name) const {
    if (!why_no_file_name(name).empty()) return failure_of(EINVAL);
    open_how how{};
    // Opening a pipe or a device that somebody put there would wait, or worse.
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const std::string text{name};
    unique_fd file{
        static_cast<int>(::syscall(SYS_openat2, directory_.get(), text.c_str(), &how, sizeof how))};
    if (!file) return failure_of(errno);
    struct stat found{};
    if (::fstat(file.get(), &found) < 0) return failure_of(errno);
    if (S_ISDIR(found.st_mode)) return failure_of(EISDIR);
    if (!S_ISREG(found.st_mode)) return failure_of(EINVAL);
    return file;
}

incoming::incoming(store& owner, unique_fd file, std::string hidden) noexcept
    : owner_{&owner}, file_{std::move(file)}, hidden_{std::move(hidden)} {}

incoming::~incoming() {
    if (!hidden_.empty()) ::unlinkat(owner_->directory(), hidden_.c_str(), 0);
}

// Under a hidden name of its own first, for linkat(2) replaces nothing.
result<void> incoming::give_hidden_name() {
    if (owner_->options_.sync) {
        if (auto synced = sync(file_.get()); !synced) return synced;
    }
    if (!hidden_.empty()) return {};
    std::string name = owner_->next_hidden_name();
    if (::linkat(AT_FDCWD, path_of(file_.get()).c_str(), owner_->directory(), name.c_str(),
                 AT_SYMLINK_FOLLOW) < 0) {
        return failure_of(errno);
    }
    hidden_ = std::move(name);
    return {};
}

result<void> incoming::rename_to(const std::string& name, unsigned flags) {
    if (::renameat2(owner_->directory(), hidden_.c_str(), owner_->directory(), name.c_str(),
                    flags) < 0) {
        return failure_of(errno);
    }
    hidden_.clear();
    if (owner_->options_.sync) return sync(owner_->directory());
    return {};
}

result<void> incoming::keep(std::string_view name) {
    if (!why_no_file_name(name).empty()) return failure_of(EINVAL);
    if (auto named = give_hidden_name(); !named) return named;
    return rename_to(std::string{name}, 0);
}

result<std::string> incoming::keep_under_new_name() {
    if (auto named = give_hidden_name(); !named) return failure(named.error());
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    for (unsigned number = 1;; ++number) {
        std::string name = fmt::format("upload-{:%Y%m%d-%H%M%S}-{}", fmt::gmtime(now), number);
        auto renamed = rename_to(name, RENAME_NOREPLACE);
        if (renamed) return name;
        if (!renamed.error().is(EEXIST)) return failure(renamed.error());
    }
}

}  // namespace sluice::service::files
