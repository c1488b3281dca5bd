// Implements partial downloads: hidden names, flock(2) locks, and the final rename.
#include "sluice/files/client/partial_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>
#include <utility>
#include <vector>

#include "sluice/files/sha256.hpp"
#include "sluice/http/percent.hpp"
#include "sluice/os/directory_reader.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

constexpr std::string_view suffix = ".part";
// Bytes of the target's name within a hidden name. A digest distinguishes longer names.
constexpr std::size_t name_shown = 80;
constexpr std::size_t longest_file_name = 255;

std::string short_digest(std::string_view text) {
    return http::to_hex(sha256_of(text)).substr(0, 12);
}

/// The names in the directory with this prefix and the suffix of partial files.
std::vector<std::string> names_with(int directory, const std::string& prefix) {
    std::vector<std::string> found;
    unique_fd copy{os::sys().openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!copy) return found;
    os::directory_reader list{std::move(copy)};
    for (auto entry = list.next(); entry && *entry != nullptr; entry = list.next()) {
        const std::string_view name{(*entry)->d_name};
        if (name.starts_with(prefix) && name.ends_with(suffix)) found.emplace_back(name);
    }
    return found;
}

/// Splits a path at its last slash.
std::pair<std::string, std::string> folder_and_name(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return {".", path};
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

result<partial_file> partial_file::beside(const std::string& target) {
    os::kernel& sys = os::sys();
    std::string path = target;
    struct stat found{};
    if (sys.fstatat(AT_FDCWD, path.c_str(), found, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(found.st_mode)) {
        if (const int failed = sys.realpath(target.c_str(), path); failed < 0) {
            return failure_of(-failed);
        }
    }
    auto [folder, name] = folder_and_name(path);
    if (name.empty() || name == "." || name == "..") return failure_of(EISDIR);
    if (sys.fstatat(AT_FDCWD, path.c_str(), found, 0) == 0 && S_ISDIR(found.st_mode)) {
        return failure_of(EISDIR);
    }
    unique_fd directory{sys.openat(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory) return failure_of(-directory.get());
    return partial_file{std::move(directory), std::move(name)};
}

partial_file::partial_file(unique_fd directory, std::string name)
    : directory_{std::move(directory)},
      target_{std::move(name)},
      prefix_{fmt::format(".{}.{}.", wire::truncate_utf8(target_, name_shown),
                          short_digest(target_))} {}

partial_file::partial_file(partial_file&& other) noexcept
    : directory_{std::move(other.directory_)},
      target_{std::move(other.target_)},
      prefix_{std::move(other.prefix_)},
      file_{std::move(other.file_)},
      hidden_{std::exchange(other.hidden_, {})},
      tag_{std::move(other.tag_)},
      keep_{other.keep_} {}

partial_file::~partial_file() {
    if (!keep_) remove();
}

void partial_file::remove() noexcept {
    if (!hidden_.empty()) os::sys().unlinkat(directory_.get(), hidden_.c_str(), 0);
    hidden_.clear();
    file_.reset();
}

std::string partial_file::hidden_name(std::string_view tag) const {
    return prefix_ + http::percent_encode_name(tag) + std::string{suffix};
}

/// False if another process has the file locked, or has removed or replaced it meanwhile.
result<bool> partial_file::open_locked(const std::string& name, int flags) {
    constexpr mode_t mode = 0666;
    os::kernel& sys = os::sys();
    unique_fd file{
        sys.openat(directory_.get(), name.c_str(), flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, mode)};
    if (!file) return failure_of(-file.get());
    if (sys.flock(file.get(), LOCK_EX | LOCK_NB) < 0) return false;
    struct stat opened{};
    struct stat named{};
    if (const int failed = sys.fstat(file.get(), opened); failed < 0) return failure_of(-failed);
    if (!S_ISREG(opened.st_mode)) return false;
    if (sys.fstatat(directory_.get(), name.c_str(), named, AT_SYMLINK_NOFOLLOW) < 0) return false;
    if (opened.st_ino != named.st_ino || opened.st_dev != named.st_dev) return false;
    file_ = std::move(file);
    hidden_ = name;
    return true;
}

result<std::optional<partial_file::left_over>> partial_file::take_up() {
    os::kernel& sys = os::sys();
    std::optional<left_over> best;
    timespec newest{};
    std::string best_name;
    for (const auto& name : names_with(directory_.get(), prefix_)) {
        const auto encoded = std::string_view{name}.substr(
            prefix_.size(), name.size() - prefix_.size() - suffix.size());
        const auto tag = http::percent_decode(encoded);
        struct stat found{};
        if (!tag || !tag->starts_with('"')) continue;
        if (sys.fstatat(directory_.get(), name.c_str(), found, AT_SYMLINK_NOFOLLOW) < 0) continue;
        const bool newer = std::pair{found.st_mtim.tv_sec, found.st_mtim.tv_nsec} >
                           std::pair{newest.tv_sec, newest.tv_nsec};
        if (best && !newer) continue;
        newest = found.st_mtim;
        best_name = name;
        best = left_over{.tag = *tag, .size = 0};
    }
    if (!best) return best;
    auto locked = open_locked(best_name, 0);
    if (!locked) return failure(locked.error());
    if (!*locked) return std::optional<left_over>{};
    struct stat found{};
    if (const int failed = sys.fstat(file_.get(), found); failed < 0) return failure_of(-failed);
    best->size = static_cast<std::uint64_t>(found.st_size);
    tag_ = best->tag;
    return best;
}

result<void> partial_file::begin(std::string_view tag) {
    // A file that was taken up and has another version is of no more use.
    remove();
    const auto wanted = hidden_name(tag);
    tag_ = wanted.size() <= longest_file_name ? tag : std::string_view{};
    if (!tag_.empty()) {
        auto locked = open_locked(wanted, O_CREAT);
        if (!locked) return failure(locked.error());
        const int failed = *locked ? os::sys().ftruncate(file_.get(), 0) : 0;
        if (failed < 0) return failure_of(-failed);
        // Another process downloads the same: each writes its own file, the last rename wins.
        if (!*locked) tag_.clear();
    }
    for (unsigned attempt = 0; !file_; ++attempt) {
        auto locked = open_locked(hidden_name(fmt::format("{}-{}", os::sys().getpid(), attempt)),
                                  O_CREAT | O_EXCL);
        if (!locked && !locked.error().is(EEXIST)) return failure(locked.error());
    }
    remove_others();
    return {};
}

void partial_file::remove_others() const {
    os::kernel& sys = os::sys();
    for (const auto& name : names_with(directory_.get(), prefix_)) {
        if (name == hidden_) continue;
        const unique_fd file{sys.openat(directory_.get(), name.c_str(),
                                        O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
        if (!file || sys.flock(file.get(), LOCK_EX | LOCK_NB) < 0) continue;
        sys.unlinkat(directory_.get(), name.c_str(), 0);
    }
}

result<void> partial_file::finish(bool sync) {
    os::kernel& sys = os::sys();
    int failed = sync ? sys.fsync(file_.get()) : 0;
    if (failed < 0) return failure_of(-failed);
    failed = sys.renameat2(directory_.get(), hidden_.c_str(), directory_.get(), target_.c_str(), 0);
    if (failed < 0) return failure_of(-failed);
    hidden_.clear();
    if (sync) sys.fsync(directory_.get());
    return {};
}

}  // namespace sluice::files
