// Implements volumes: probes file systems, links and renames by their abilities.
#include "sluice/files/server/volume.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <utility>

#include "sluice/files/server/beneath.hpp"
#include "sluice/os/cgroup.hpp"

namespace sluice::files {
namespace {

/// Of a call that returned 0 or -errno.
result<void> outcome_of(int returned) noexcept {
    if (returned < 0) return failure_of(-returned);
    return {};
}

result<void> link_by_descriptor(int file, int folder, const char* name) noexcept {
    return outcome_of(os::sys().linkat(file, "", folder, name, AT_EMPTY_PATH));
}

result<void> link_by_proc(int file, int folder, const char* name) noexcept {
    std::array<char, 32> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", file);
    return outcome_of(os::sys().linkat(AT_FDCWD, path.data(), folder, name, AT_SYMLINK_FOLLOW));
}

/// Errnos of a file system that lacks the call or the flag.
bool is_unknown(const error& why) noexcept {
    return why.is(EINVAL) || why.is(ENOSYS) || why.is(EOPNOTSUPP) || why.is(EPERM) ||
           why.is(EMLINK);
}

result<void> rename_no_replace(int from, const char* old_name, int to, const char* name) noexcept {
    return outcome_of(os::sys().renameat2(from, old_name, to, name, RENAME_NOREPLACE));
}

result<void> link_and_unlink(int from, const char* old_name, int to, const char* name) noexcept {
    os::kernel& sys = os::sys();
    if (auto linked = outcome_of(sys.linkat(from, old_name, to, name, 0)); !linked) return linked;
    sys.unlinkat(from, old_name, 0);
    return {};
}

result<void> check_and_rename(int from, const char* old_name, int to, const char* name) noexcept {
    const auto there = look_at(to, name);
    if (there) return failure_of(EEXIST);
    if (!there.error().is(ENOENT)) return failure(there.error());
    return outcome_of(os::sys().renameat2(from, old_name, to, name, 0));
}

/// Decodes a path of mountinfo, which has blanks and the like as three octal digits (proc(5)).
std::string unescape_octal(std::string_view text) {
    constexpr std::size_t length = 4;
    std::string out;
    while (!text.empty()) {
        if (text.front() == '\\' && text.size() >= length) {
            out +=
                static_cast<char>(std::strtol(std::string{text.substr(1, 3)}.c_str(), nullptr, 8));
            text.remove_prefix(length);
        } else {
            out += text.front();
            text.remove_prefix(1);
        }
    }
    return out;
}

/// The mount points below `path`, as paths from there.
std::vector<std::string> mounted_below(const std::string& path) {
    std::vector<std::string> found;
    std::string below;
    if (os::sys().realpath(path.c_str(), below) < 0) return found;
    if (below != "/") below += '/';
    std::istringstream all{read_small_file("/proc/self/mountinfo").value_or("")};
    for (std::string line; std::getline(all, line);) {
        std::istringstream fields{line};
        std::string skipped;
        std::string where;
        fields >> skipped >> skipped >> skipped >> skipped >> where;
        where = unescape_octal(where);
        if (where.size() > below.size() && where.starts_with(below)) {
            found.push_back(where.substr(below.size()));
        }
    }
    return found;
}

}  // namespace

abilities abilities::of(int folder, const std::string& hidden) {
    constexpr mode_t mode = 0600;
    os::kernel& sys = os::sys();
    abilities can;
    std::string name = hidden;
    unique_fd file{sys.openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode)};
    can.has_unnamed = static_cast<bool>(file);
    for (const auto how : {unnamed::by_descriptor, unnamed::by_proc}) {
        if (!file || !link_unnamed(how, file.get(), folder, name.c_str())) continue;
        can.links_unnamed = how;
        break;
    }
    if (can.links_unnamed == unnamed::impossible) {
        file.reset(sys.openat(folder, name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode));
        if (!file) return {.write_error = -file.get()};
    }
    can.was_writable = true;
    const std::string other = hidden + "-2";
    can.renames_if_free =
        rename_no_replace(folder, name.c_str(), folder, other.c_str()).has_value();
    if (can.renames_if_free) name = other;
    can.links = sys.linkat(folder, name.c_str(), folder, (hidden + "-3").c_str(), 0) == 0;
    if (can.links) sys.unlinkat(folder, (hidden + "-3").c_str(), 0);
    sys.unlinkat(folder, name.c_str(), 0);
    return can;
}

std::vector<std::string> abilities::notices() const {
    std::vector<std::string> found;
    if (write_error != 0) {
        found.push_back(fmt::format("nothing can be written here ({}): uploads will be refused",
                                    error::system(write_error).message()));
        return found;
    }
    if (!has_unnamed) {
        found.emplace_back(
            "this file system has no files without a name (open(2), O_TMPFILE): what is received "
            "has a hidden name until it is whole");
    } else if (links_unnamed == unnamed::impossible) {
        found.emplace_back(
            "files without a name cannot be given one here: /proc is not mounted, and the "
            "capability CAP_DAC_READ_SEARCH is missing (linkat(2)); what is received has a hidden "
            "name until it is whole");
    }
    if (!renames_if_free && links) {
        found.emplace_back(
            "this file system cannot rename without replacing (renameat2(2), RENAME_NOREPLACE): "
            "new names are given by linkat(2) and unlinkat(2)");
    } else if (!renames_if_free) {
        found.emplace_back(
            "this file system has neither links nor renameat2(2)'s RENAME_NOREPLACE: that a new "
            "name replaces nothing holds among servers of this kind only");
    }
    return found;
}

result<void> link_unnamed(abilities::unnamed how, int file, int folder, const char* name) noexcept {
    switch (how) {
        case abilities::unnamed::by_descriptor: return link_by_descriptor(file, folder, name);
        case abilities::unnamed::by_proc: return link_by_proc(file, folder, name);
        case abilities::unnamed::impossible: break;
    }
    return failure_of(EOPNOTSUPP);
}

result<void> rename_if_free(const abilities& can, int from, const char* old_name, int to,
                            const char* name) noexcept {
    if (can.renames_if_free) {
        auto done = rename_no_replace(from, old_name, to, name);
        if (done || !is_unknown(done.error())) return done;
    }
    if (can.links) {
        auto done = link_and_unlink(from, old_name, to, name);
        if (done || !is_unknown(done.error())) return done;
    }
    return check_and_rename(from, old_name, to, name);
}

result<mount_id> mount_id::of(int file) noexcept {
    mount_id found;
    const int failed = os::sys().mount_of(file, found.mount, found.device);
    if (failed < 0) return failure_of(-failed);
    return found;
}

volumes::volumes(unique_fd top, mount_id id) : id_{id} {
    const auto can = abilities::of(top.get(), next_hidden_name());
    root_ = std::make_shared<volume>(volume{.top = std::move(top), .can = can});
}

result<std::unique_ptr<volumes>> volumes::open(unique_fd top) {
    const auto id = mount_id::of(top.get());
    if (!id) return failure(id.error());
    // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the constructor is private
    return std::unique_ptr<volumes>{new volumes{std::move(top), *id}};
}

void volumes::probe_again() {
    root_->can = abilities::of(root_->top.get(), next_hidden_name());
    known_.clear();
}

result<unique_fd> volumes::top_of(mount_id id, std::string_view path) const {
    for (auto end = path.find('/');; end = path.find('/', end + 1)) {
        auto folder = open_folder(root_->top.get(), std::string{path.substr(0, end)}.c_str());
        if (!folder) return folder;
        const auto found = mount_id::of(folder->get());
        if (!found) return failure(found.error());
        if (*found == id) return folder;
        // Another file system was mounted there meanwhile.
        if (end == std::string_view::npos) return failure_of(EXDEV);
    }
}

result<std::shared_ptr<const volume>> volumes::of(int folder, std::string_view path) {
    const auto id = mount_id::of(folder);
    if (!id) return failure(id.error());
    if (*id == id_) return root_;
    {
        const std::lock_guard lock{mutex_};
        const auto found = known_.find(*id);
        if (found != known_.end()) {
            if (auto used = found->second.used.lock()) return used;
        }
    }
    auto top = top_of(*id, path);
    if (!top) return failure(top.error());
    const std::lock_guard lock{mutex_};
    auto& entry = known_[*id];
    if (auto used = entry.used.lock()) return used;
    if (!entry.can) {
        const auto is_writable = [](int place) {
            return os::sys().faccessat(place, ".", W_OK, AT_EACCESS) == 0;
        };
        // Without a writable directory nothing is probed: another one may be writable later.
        if (is_writable(top->get())) {
            entry.can = abilities::of(top->get(), next_hidden_name());
        } else if (is_writable(folder)) {
            entry.can = abilities::of(folder, next_hidden_name());
        } else {
            return std::make_shared<const volume>(volume{.top = std::move(*top), .can = {}});
        }
    }
    auto made = std::make_shared<const volume>(volume{.top = std::move(*top), .can = *entry.can});
    entry.used = made;
    return made;
}

std::vector<std::shared_ptr<const volume>> volumes::find_all(const std::string& path) {
    std::vector<std::shared_ptr<const volume>> found{root_};
    for (const auto& where : mounted_below(path)) {
        const auto folder = open_folder(root_->top.get(), where.c_str());
        if (!folder) continue;
        if (auto one = of(folder->get(), where)) found.push_back(std::move(*one));
    }
    return found;
}

std::vector<unique_fd> volumes::tops(const std::string& path) const {
    std::vector<unique_fd> found;
    if (auto own = open_folder(root_->top.get(), ".")) found.push_back(std::move(*own));
    for (const auto& where : mounted_below(path)) {
        if (auto one = open_folder(root_->top.get(), where.c_str()))
            found.push_back(std::move(*one));
    }
    return found;
}

std::string next_hidden_name() {
    static std::atomic<std::uint64_t> last = 0;
    return fmt::format("{}{}-{}", hidden_prefix, os::sys().getpid(),
                       last.fetch_add(1, std::memory_order_relaxed));
}

}  // namespace sluice::files
