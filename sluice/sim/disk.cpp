// Implements the names of the simulated disk: the calls that make, change and remove them.
#include "sluice/sim/disk.hpp"

#include <linux/fs.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace sluice::sim {
namespace {

/// The place of a name in a listing: like that of ext4 a hash, so that the order tells nothing.
std::uint64_t cookie_of(const inode& folder, std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325U ^ folder.number;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    std::uint64_t cookie = std::max((hash ^ hash >> 29) >> 2, inode::first_cookie + 1);
    while (folder.in_order.contains(cookie)) ++cookie;
    return cookie;
}

bool holds_flag(int flags, int wanted) noexcept {
    return (flags & wanted) == wanted;
}

bool is_below(const inode& node, const inode& folder) noexcept {
    for (const inode* at = &node; at != nullptr; at = at->parent) {
        if (at == &folder) return true;
    }
    return false;
}

}  // namespace

opened_inode::opened_inode(disk& on, inode_ref node) noexcept : on_{&on}, node_{std::move(node)} {
    ++node_->opened;
}

opened_inode::~opened_inode() {
    if (node_ == nullptr) return;
    --node_->opened;
    on_->free_if_gone(*node_);
}

disk::disk(const disk_options& o, random& choices, std::function<std::int64_t()> wall_ns)
    : options_{o}, choices_{choices}, wall_ns_{std::move(wall_ns)} {
    constexpr mode_t mode = S_IFDIR | 0755;
    auto on = std::make_shared<mounted>();
    on->id = ++mounts_made_;
    on->pages = o.size / content::page_size;
    if (o.quota != mounted::unlimited) on->quota = o.quota / content::page_size;
    root_ = std::make_shared<inode>(std::move(on), next_number_++, mode);
    root_->names = 1;
    touch(*root_);
    root_->durable = root_->now;
}

disk::~disk() {
    // A folder can be above another one now, and below it on the disk: together they would never
    // end.
    std::set<const inode*> seen;
    std::vector<inode_ref> left{root_};
    const auto add = [&](const inode_ref& node) {
        if (node != nullptr && seen.insert(node.get()).second) left.push_back(node);
    };
    for (const auto& each : changes_) {
        for (const auto& entry : each.entries) add(entry.folder);
        add(each.node);
    }
    while (!left.empty()) {
        const inode_ref node = std::move(left.back());
        left.pop_back();
        for (const auto& [name, entry] : node->entries) add(entry.node);
        for (const auto& [name, entry] : node->durable_entries) add(entry);
        node->entries.clear();
        node->durable_entries.clear();
    }
}

std::int64_t disk::now() const {
    // The clock of file systems goes on with the kernel's tick (CONFIG_HZ=250).
    constexpr std::int64_t tick = 4'000'000;
    const auto exact = wall_ns_();
    return exact - exact % tick;
}

/// The node is changed now.
void disk::touch(inode& node) {
    node.now.modified = node.now.changed = now();
}

int disk::add_mount(std::string_view path, std::uint64_t size) {
    inode_ref found;
    if (const int failed = find(root_, path, 0, found); failed < 0) return failed;
    if (!found->is_folder()) return -ENOTDIR;
    if (found->is_mount_point()) return -EBUSY;
    if (!found->entries.empty()) return -ENOTEMPTY;
    sync_all(*root_);
    found->mount = std::make_shared<mounted>();
    found->mount->id = ++mounts_made_;
    found->mount->pages = size / content::page_size;
    return 0;
}

std::vector<std::pair<std::uint64_t, std::string>> disk::mounts() const {
    std::vector<std::pair<std::uint64_t, std::string>> all;
    std::vector<std::pair<const inode*, std::string>> left{{root_.get(), ""}};
    while (!left.empty()) {
        const auto [node, path] = std::move(left.back());
        left.pop_back();
        if (node->is_mount_point()) all.emplace_back(node->mount->id, path.empty() ? "/" : path);
        for (const auto& [name, entry] : node->entries) {
            if (entry.node->is_folder()) left.emplace_back(entry.node.get(), path + "/" + name);
        }
    }
    std::ranges::sort(all);
    return all;
}

inode_ref disk::new_inode(const inode& in, mode_t mode) {
    std::uint64_t number = next_number_;
    if (free_numbers_.empty()) {
        ++next_number_;
    } else {
        // As ext4, which gives a new file the lowest number that is free.
        number = *free_numbers_.begin();
        free_numbers_.erase(free_numbers_.begin());
    }
    auto made = std::make_shared<inode>(in.mount, number, mode);
    touch(*made);
    made->now.accessed = made->now.modified;
    made->durable = made->now;
    return made;
}

void disk::enter(inode& folder, const std::string& name, inode_ref node) {
    ++node->names;
    if (node->is_folder()) node->parent = &folder;
    node->now.changed = now();
    const auto cookie = cookie_of(folder, name);
    folder.in_order.emplace(cookie, name);
    folder.entries.insert_or_assign(name, inode::entry{.node = std::move(node), .cookie = cookie});
    touch(folder);
}

/// The caller has a reference to the node of the entry.
void disk::leave(inode& folder, const std::string& name) {
    const auto found = folder.entries.find(name);
    inode& node = *found->second.node;
    --node.names;
    if (node.is_folder()) node.parent = nullptr;
    node.now.changed = now();
    folder.in_order.erase(found->second.cookie);
    folder.entries.erase(found);
    touch(folder);
}

/// Its space and its number are free once it has no name and it is not open.
void disk::free_if_gone(inode& node) {
    if (node.names > 0 || node.opened > 0 || node.number == 0) return;
    node.mount->used -= std::min(node.mount->used, node.allocated.cut(0));
    free_numbers_.insert(std::exchange(node.number, 0));
}

/// The folder, and those above it.
std::vector<inode_ref> disk::above(inode& folder) {
    std::vector<inode_ref> all;
    for (inode* at = &folder; at != nullptr; at = at->parent) all.push_back(at->shared_from_this());
    return all;
}

/// A new name for `node`: the last one of `where`, which is free.
int disk::create(const place& where, inode_ref node) {
    if (where.folder->names == 0) return -ENOENT;
    if (const int failed = space_fault(); failed < 0) return failed;
    change c{.entries = {{where.folder, where.name, node}}, .node = node};
    if (node->names > 0) c.above = above(*where.folder);
    enter(*where.folder, where.name, std::move(node));
    changes_.push_back(std::move(c));
    return 0;
}

int disk::open(const inode_ref& from, std::string_view path, int flags, mode_t mode,
               std::uint64_t resolve, opened_inode& into) {
    const bool exclusive = holds_flag(flags, O_CREAT | O_EXCL);
    place where;
    if (holds_flag(flags, O_TMPFILE)) {
        if ((flags & O_ACCMODE) == O_RDONLY) return -EINVAL;
        if (const int failed = walk(from, path, last_link::follow, resolve, where); failed < 0) {
            return failed;
        }
        if (!where.found) return -ENOENT;
        if (!where.found->is_folder()) return -ENOTDIR;
        return open_unnamed(where.found, flags, mode, into);
    }
    const bool creates = (flags & O_CREAT) != 0;
    auto last = exclusive || (flags & O_NOFOLLOW) != 0 ? last_link::keep : last_link::follow;
    // A file that is to be made has no slash after its name, whatever is there.
    if (creates && path.ends_with('/')) last = last_link::keep_always;
    if (const int failed = walk(from, path, last, resolve, where); failed < 0) return failed;
    if (creates) {
        if (where.is_plain() && where.slash) return -EISDIR;
        if (where.found && exclusive) return -EEXIST;
        if (!where.found) {
            constexpr mode_t kept = 07777;
            auto made = new_inode(*where.folder, S_IFREG | (mode & kept));
            opened_inode held{*this, made};
            if (const int failed = create(where, std::move(made)); failed < 0) return failed;
            into = std::move(held);
            return 0;
        }
        if (where.found->is_folder()) return -EISDIR;
    }
    if (!where.found) return -ENOENT;
    return open_again(where.found, flags, into);
}

int disk::open_again(const inode_ref& node, int flags, opened_inode& into) {
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    if ((flags & O_DIRECTORY) != 0 && !node->is_folder()) return -ENOTDIR;
    if (node->is_link()) return -ELOOP;
    if (node->is_folder() && (writes || (flags & O_TRUNC) != 0)) return -EISDIR;
    opened_inode held{*this, node};
    if ((flags & O_TRUNC) != 0) {
        if (const int failed = resize(*node, 0); failed < 0) return failed;
    }
    into = std::move(held);
    return 0;
}

int disk::open_unnamed(const inode_ref& folder, int flags, mode_t mode, opened_inode& into) {
    if (!options_.unnamed_files) return -EOPNOTSUPP;
    if (folder->names == 0) return -ENOENT;
    if (const int failed = space_fault(); failed < 0) return failed;
    constexpr mode_t kept = 07777;
    into = opened_inode{*this, new_inode(*folder, S_IFREG | (mode & kept))};
    into.node()->linkable = (flags & O_EXCL) == 0;
    return 0;
}

int disk::make_folder(const inode_ref& from, std::string_view path, mode_t mode) {
    place where;
    if (const int failed = walk_to_name(from, path, where); failed < 0) return failed;
    if (where.found) return -EEXIST;
    constexpr mode_t kept = 01777;
    auto made = new_inode(*where.folder, S_IFDIR | (mode & kept));
    opened_inode held{*this, made};
    return create(where, std::move(made));
}

int disk::make_link(const inode_ref& from, std::string_view path, std::string_view target) {
    place where;
    if (target.empty()) return -ENOENT;
    if (target.size() >= PATH_MAX) return -ENAMETOOLONG;
    if (const int failed = walk_to_name(from, path, where); failed < 0) return failed;
    if (where.found) return -EEXIST;
    if (where.slash) return -ENOENT;
    constexpr mode_t all = 0777;
    auto made = new_inode(*where.folder, S_IFLNK | all);
    made->target = target;
    opened_inode held{*this, made};
    return create(where, std::move(made));
}

int disk::remove(const inode_ref& from, std::string_view path, int flags) {
    const bool folder = (flags & AT_REMOVEDIR) != 0;
    place where;
    if (const int failed = walk_to_name(from, path, where); failed < 0) return failed;
    if (!where.is_plain()) {
        if (!folder) return -EISDIR;
        if (where.name == ".") return -EINVAL;
        return where.name == ".." ? -ENOTEMPTY : -EBUSY;
    }
    const inode_ref node = where.found;
    if (!node) return -ENOENT;
    if (folder) {
        if (!node->is_folder()) return -ENOTDIR;
        if (node->is_mount_point()) return -EBUSY;
        if (!node->entries.empty()) return -ENOTEMPTY;
    } else {
        if (node->is_folder()) return -EISDIR;
        if (where.slash) return -ENOTDIR;
    }
    leave(*where.folder, where.name);
    free_if_gone(*node);
    changes_.push_back(
        {.entries = {{where.folder, where.name, {}}}, .node = node, .after_all = folder});
    return 0;
}

int disk::link(const inode_ref& node, const inode_ref& to, std::string_view path) {
    place where;
    if (const int failed = walk_to_name(to, path, where); failed < 0) return failed;
    if (where.found) return -EEXIST;
    if (where.slash) return -ENOENT;
    if (where.folder->mount != node->mount) return -EXDEV;
    if (node->is_folder()) return -EPERM;
    if (node->names == 0 && !node->linkable) return -ENOENT;
    if (node->names > 0 && !options_.hard_links) return -EPERM;
    return create(where, node);
}

// NOLINTNEXTLINE(readability-function-cognitive-complexity): the cases of the man page, in turn
int disk::rename(const inode_ref& from, std::string_view old_path, const inode_ref& to,
                 std::string_view path, unsigned flags) {
    if ((flags & ~static_cast<unsigned>(RENAME_NOREPLACE)) != 0) return -EINVAL;
    const bool only_free = (flags & RENAME_NOREPLACE) != 0;
    if (only_free && !options_.renames_without_replacing) return -EINVAL;
    place old;
    place next;
    if (const int failed = walk(from, old_path, last_link::keep_always, 0, old); failed < 0) {
        return failed;
    }
    if (const int failed = walk(to, path, last_link::keep_always, 0, next); failed < 0) {
        return failed;
    }
    if (old.folder->mount != next.folder->mount) return -EXDEV;
    if (!old.is_plain()) return -EBUSY;
    if (!next.is_plain()) return only_free ? -EEXIST : -EBUSY;
    if (old.is_too_long()) return -ENAMETOOLONG;
    if (old.found && next.is_too_long()) return -ENAMETOOLONG;
    const inode_ref node = old.found;
    const inode_ref target = next.found;
    if (!node) return -ENOENT;
    if (target && only_free) return -EEXIST;
    if (!node->is_folder() && (old.slash || next.slash)) return -ENOTDIR;
    if (node->is_folder() && is_below(*next.folder, *node)) return -EINVAL;
    if (target && target->is_folder() && is_below(*old.folder, *target)) return -ENOTEMPTY;
    if (node == target) return 0;
    if (!target && next.folder->names == 0) return -ENOENT;
    if (target && node->is_folder() && !target->is_folder()) return -ENOTDIR;
    if (target && !node->is_folder() && target->is_folder()) return -EISDIR;
    if (node->is_folder() && node->is_mount_point()) return -EBUSY;
    if (target && target->is_folder()) {
        if (target->is_mount_point()) return -EBUSY;
        if (!target->entries.empty()) return -ENOTEMPTY;
    }
    if (const int failed = space_fault(); failed < 0) return failed;
    if (target) leave(*next.folder, next.name);
    leave(*old.folder, old.name);
    enter(*next.folder, next.name, node);
    changes_.push_back({.entries = {{old.folder, old.name, {}}, {next.folder, next.name, node}},
                        .node = node,
                        .after_all = node->is_folder(),
                        .above = above(*next.folder)});
    if (target) free_if_gone(*target);
    return 0;
}

}  // namespace sluice::sim
