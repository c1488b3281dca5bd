// Hidden names, locks, and one rename.
#include "sluice/files/client/partial_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "sluice/files/client/checksum.hpp"
#include "sluice/http/percent.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

constexpr std::string_view suffix = ".part";
// Of the target's name in a hidden one: enough to recognise it by. A digest tells long ones apart.
constexpr std::size_t name_shown = 80;
constexpr std::size_t longest_name = 255;

std::string short_digest(std::string_view text) {
    checksum sum;
    sum.add(as_bytes(text));
    return http::to_hex(sum.finish()).substr(0, 12);
}

/// Every name in the directory that begins with `prefix`.
std::vector<std::string> names_with(int directory, const std::string& prefix) {
    std::vector<std::string> found;
    const int own = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> list{own < 0 ? nullptr : ::fdopendir(own),
                                                   &::closedir};
    if (!list) {
        if (own >= 0) ::close(own);
        return found;
    }
    while (const auto* entry = ::readdir(list.get())) {
        const std::string_view name{entry->d_name};
        if (name.starts_with(prefix) && name.ends_with(suffix)) found.emplace_back(name);
    }
    return found;
}

/// Takes a path apart at its last slash.
std::pair<std::string, std::string> split(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return {".", path};
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

result<partial_file> partial_file::beside(const std::string& target) {
    std::string path = target;
    struct stat found{};
    if (::lstat(path.c_str(), &found) == 0 && S_ISLNK(found.st_mode)) {
        const std::unique_ptr<char, decltype(&std::free)> real{::realpath(path.c_str(), nullptr),
                                                               &std::free};
        if (!real) return failure_of(errno);
        path = real.get();
    }
    auto [folder, name] = split(path);
    if (name.empty() || name == "." || name == "..") return failure_of(EISDIR);
    if (::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) return failure_of(EISDIR);
    unique_fd directory{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory) return failure_of(errno);
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
      leave_{other.leave_} {}

partial_file::~partial_file() {
    if (!leave_) remove();
}

void partial_file::remove() noexcept {
    if (!hidden_.empty()) ::unlinkat(directory_.get(), hidden_.c_str(), 0);
    hidden_.clear();
    file_.reset();
}

std::string partial_file::hidden_name(std::string_view tag) const {
    return prefix_ + http::percent_encode_name(tag) + std::string{suffix};
}

/// True if it is ours now; false if somebody else writes to it, or took it away meanwhile.
result<bool> partial_file::open_locked(const std::string& name, int flags) {
    constexpr mode_t mode = 0666;
    unique_fd file{
        ::openat(directory_.get(), name.c_str(), flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, mode)};
    if (!file) return failure_of(errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) < 0) return false;
    struct stat ours{};
    struct stat named{};
    if (::fstat(file.get(), &ours) < 0) return failure_of(errno);
    if (!S_ISREG(ours.st_mode)) return false;
    if (::fstatat(directory_.get(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) < 0) return false;
    if (ours.st_ino != named.st_ino || ours.st_dev != named.st_dev) return false;
    file_ = std::move(file);
    hidden_ = name;
    return true;
}

result<std::optional<partial_file::left_over>> partial_file::take_up() {
    std::optional<left_over> best;
    timespec newest{};
    std::string best_name;
    for (const auto& name : names_with(directory_.get(), prefix_)) {
        const auto encoded = std::string_view{name}.substr(
            prefix_.size(), name.size() - prefix_.size() - suffix.size());
        const auto tag = http::percent_decode(encoded);
        struct stat found{};
        if (!tag || !tag->starts_with('"')) continue;
        if (::fstatat(directory_.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) < 0) continue;
        const bool newer = std::pair{found.st_mtim.tv_sec, found.st_mtim.tv_nsec} >
                           std::pair{newest.tv_sec, newest.tv_nsec};
        if (best && !newer) continue;
        newest = found.st_mtim;
        best_name = name;
        best = left_over{.tag = *tag, .size = 0};
    }
    if (!best) return best;
    auto ours = open_locked(best_name, 0);
    if (!ours) return failure(ours.error());
    if (!*ours) return std::optional<left_over>{};
    struct stat found{};
    if (::fstat(file_.get(), &found) < 0) return failure_of(errno);
    best->size = static_cast<std::uint64_t>(found.st_size);
    tag_ = best->tag;
    return best;
}

result<void> partial_file::begin(std::string_view tag) {
    // One that was taken up and is of another version is of no more use.
    remove();
    const auto wanted = hidden_name(tag);
    tag_ = wanted.size() <= longest_name ? tag : std::string_view{};
    if (!tag_.empty()) {
        auto ours = open_locked(wanted, O_CREAT);
        if (!ours) return failure(ours.error());
        if (*ours && ::ftruncate(file_.get(), 0) < 0) return failure_of(errno);
        // Somebody else fetches the same: each writes a file of his own, and the last one wins.
        if (!*ours) tag_.clear();
    }
    for (unsigned attempt = 0; !file_; ++attempt) {
        auto ours =
            open_locked(hidden_name(fmt::format("{}-{}", ::getpid(), attempt)), O_CREAT | O_EXCL);
        if (!ours && !ours.error().is(EEXIST)) return failure(ours.error());
    }
    remove_others();
    return {};
}

void partial_file::remove_others() const {
    for (const auto& name : names_with(directory_.get(), prefix_)) {
        if (name == hidden_) continue;
        const unique_fd file{::openat(directory_.get(), name.c_str(),
                                      O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
        if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) < 0) continue;
        ::unlinkat(directory_.get(), name.c_str(), 0);
    }
}

result<void> partial_file::finish(bool sync) {
    if (sync && ::fsync(file_.get()) < 0) return failure_of(errno);
    if (::renameat(directory_.get(), hidden_.c_str(), directory_.get(), target_.c_str()) < 0) {
        return failure_of(errno);
    }
    hidden_.clear();
    if (sync) ::fsync(directory_.get());
    return {};
}

}  // namespace sluice::files
