// Implements what the simulated disk finds: paths, the entries of directories.
#include <dirent.h>
#include <linux/openat2.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>

#include "sluice/sim/disk.hpp"

namespace sluice::sim {
namespace {

constexpr int most_links = 40;  // followed for one path (path_resolution(7))

}  // namespace

// NOLINTNEXTLINE(readability-function-cognitive-complexity): path_resolution(7), in turn
int disk::walk(const inode_ref& from, std::string_view path, last_link last, std::uint64_t resolve,
               place& out) const {
    if (path.empty()) return -ENOENT;
    if (path.size() >= PATH_MAX) return -ENAMETOOLONG;
    const bool beneath = (resolve & RESOLVE_BENEATH) != 0;
    std::string rest{path};
    inode_ref at = from;
    for (int links = 0;;) {
        if (rest.starts_with('/')) {
            if (beneath) return -EXDEV;
            at = root_;
        }
        // The names of this path, or of the target of a link.
        bool followed = false;
        while (!followed) {
            rest.erase(0, std::min(rest.find_first_not_of('/'), rest.size()));
            if (rest.empty()) {
                out = {.folder = at, .name = {}, .found = at, .slash = true};
                return 0;
            }
            if (!at->is_folder()) return -ENOTDIR;
            const auto end = std::min(rest.find('/'), rest.size());
            const std::string name = rest.substr(0, end);
            const bool slash = end < rest.size();
            rest.erase(0, end);
            const bool is_last = rest.find_first_not_of('/') == std::string::npos;
            if (name.size() > NAME_MAX && (!is_last || last != last_link::keep_always)) {
                return -ENAMETOOLONG;
            }
            inode_ref next;
            if (name == ".") {
                next = at;
            } else if (name == "..") {
                if (beneath && at == from) return -EXDEV;
                if (at == root_) {
                    next = at;
                } else if (at->parent == nullptr) {
                    return -ENOENT;
                } else {
                    next = at->parent->shared_from_this();
                }
            } else if (const auto found = at->entries.find(name); found != at->entries.end()) {
                next = found->second.node;
            } else if (!is_last) {
                return -ENOENT;
            }
            const bool follows =
                !is_last || last == last_link::follow || (slash && last == last_link::keep);
            if (next && next->is_link() && follows) {
                if ((resolve & RESOLVE_NO_SYMLINKS) != 0 || ++links > most_links) return -ELOOP;
                rest = next->target + rest;
                followed = true;
                continue;
            }
            if (is_last) {
                out = {.folder = at, .name = name, .found = next, .slash = slash};
                if (next && slash && !next->is_folder() && last != last_link::keep_always) {
                    return -ENOTDIR;
                }
                return 0;
            }
            at = std::move(next);
        }
    }
}

/// For calls that change one name, which they do not follow.
int disk::walk_to_name(const inode_ref& from, std::string_view path, place& out) const {
    const int failed = walk(from, path, last_link::keep_always, 0, out);
    return failed == 0 && out.is_too_long() ? -ENAMETOOLONG : failed;
}

int disk::find(const inode_ref& from, std::string_view path, int flags, inode_ref& into) const {
    if (path.empty() && (flags & AT_EMPTY_PATH) != 0) {
        into = from;
        return 0;
    }
    place where;
    const auto last = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? last_link::keep : last_link::follow;
    if (const int failed = walk(from, path, last, 0, where); failed < 0) return failed;
    if (!where.found) return -ENOENT;
    into = where.found;
    return 0;
}

ssize_t disk::list(const inode& folder, std::uint64_t& position, mutable_bytes into) {
    if (!folder.is_folder()) return -ENOTDIR;
    // As in linux/dirent.h, without the name.
    struct header {
        std::uint64_t number;
        std::int64_t next;
        std::uint16_t size;
        std::uint8_t type;
    };
    constexpr std::size_t name_at = offsetof(header, type) + 1;
    constexpr std::size_t alignment = 8;
    if (folder.names == 0) return -ENOENT;
    std::size_t used = 0;
    const auto put = [&](std::uint64_t number, std::uint64_t next, const std::string& name,
                         mode_t mode) {
        const auto size = (name_at + name.size() + 1 + alignment - 1) / alignment * alignment;
        if (into.size() - used < size) return false;
        const header h{.number = number,
                       .next = static_cast<std::int64_t>(next),
                       .size = static_cast<std::uint16_t>(size),
                       .type = static_cast<std::uint8_t>(IFTODT(mode))};
        auto* const at = into.data() + used;
        std::memset(at, 0, size);
        std::memcpy(at, &h, name_at);
        std::memcpy(at + name_at, name.data(), name.size());
        used += size;
        position = next;
        return true;
    };
    bool fits = true;
    if (position == 0) fits = put(folder.number, 1, ".", S_IFDIR);
    if (fits && position == 1) {
        const auto& above = folder.parent == nullptr ? folder : *folder.parent;
        fits = put(above.number, inode::first_cookie, "..", S_IFDIR);
    }
    if (fits && position >= inode::first_cookie) {
        for (auto at = folder.in_order.upper_bound(position); fits && at != folder.in_order.end();
             ++at) {
            const auto& node = *folder.entries.find(at->second)->second.node;
            fits = put(node.number, at->first, at->second, node.now.mode);
        }
    }
    if (used == 0 && !fits) return -EINVAL;
    return static_cast<ssize_t>(used);
}

int disk::real_path(const inode_ref& from, std::string_view path, std::string& into) const {
    inode_ref found;
    if (const int failed = find(from, path, 0, found); failed < 0) return failed;
    std::string result;
    if (!found->is_folder()) {
        place where;
        if (const int failed = walk(from, path, last_link::follow, 0, where); failed < 0) {
            return failed;
        }
        result = "/" + where.name;
        found = where.folder;
    }
    for (const inode* at = found.get(); at->parent != nullptr; at = at->parent) {
        const auto& names = at->parent->entries;
        const auto own = std::ranges::find_if(
            names, [at](const auto& entry) { return entry.second.node.get() == at; });
        result = "/" + own->first + result;
    }
    into = result.empty() ? "/" : result;
    return 0;
}

}  // namespace sluice::sim
