// Implements the durability of the simulated disk: syncs, and what is left after a power loss.
#include <algorithm>
#include <cerrno>
#include <map>
#include <ranges>

#include "sluice/sim/disk.hpp"

namespace sluice::sim {

/// The names and the inodes of some changes: an earlier change of one of them comes before them,
/// and a later one after them.
class disk::dependencies {
 public:
    void add(const change& c) {
        for (const auto& each : c.entries) names_.emplace(each.folder.get(), each.name);
        nodes_.insert(c.node.get());
        for (const auto& each : c.above) above_.insert(each.get());
        after_all_ |= c.after_all;
        any_ = true;
    }
    /// Whether `earlier` has to be durable with the changes that were added.
    [[nodiscard]] bool need(const change& earlier) const {
        return after_all_ || above_.contains(earlier.node.get()) || touch(earlier);
    }
    /// Whether `later` cannot be durable without the changes that were added.
    [[nodiscard]] bool forbid(const change& later) const {
        const bool folder_is_lost = std::ranges::any_of(
            later.above, [this](const auto& each) { return nodes_.contains(each.get()); });
        return (any_ && later.after_all) || folder_is_lost || touch(later);
    }

 private:
    [[nodiscard]] bool touch(const change& c) const {
        return nodes_.contains(c.node.get()) ||
               std::ranges::any_of(c.entries, [this](const auto& e) {
                   return names_.contains({e.folder.get(), e.name});
               });
    }

    // Only looked up in: their order, which is that of addresses, decides nothing.
    std::set<std::pair<const inode*, std::string>> names_;
    std::set<const inode*> nodes_;
    std::set<const inode*> above_;
    bool after_all_ = false;
    bool any_ = false;
};

/// Copies what is durable, and a part of what is not, to a new disk.
class disk::aftermath {
 public:
    aftermath(const disk& of, disk& to) : of_{of}, to_{to} {}

    inode_ref copy(const inode& node) {
        if (const auto known = copies_.find(&node); known != copies_.end()) return known->second;
        auto made = std::make_shared<inode>(copy(node.mount), number_for(node), node.now.mode);
        copies_.emplace(&node, made);
        made->now = made->durable = attributes_of(node);
        made->target = node.target;
        if (node.is_file()) {
            made->data = node.data.after_crash(to_.choices_);
            made->data.for_each_page([&](std::uint64_t page) {
                made->mount->used += made->allocated.add(page, page + 1);
            });
        }
        for (const auto& [name, below] : node.durable_entries) {
            auto next = copy(*below);
            const auto keep = made->now;
            const auto changed = next->now.changed;
            to_.enter(*made, name, next);
            made->now = keep;
            next->now.changed = changed;
        }
        made->durable_entries = node.durable_entries;
        for (auto& [name, below] : made->durable_entries) below = copies_.at(below.get());
        return made;
    }

 private:
    std::shared_ptr<mounted> copy(const std::shared_ptr<mounted>& on) {
        auto& made = mounts_[on.get()];
        if (made == nullptr) {
            made = std::make_shared<mounted>(*on);
            made->used = 0;
        }
        return made;
    }

    /// That of the inode, unless it was free and another file has it.
    std::uint64_t number_for(const inode& node) {
        if (node.number != 0 && numbers_.insert(node.number).second) return node.number;
        auto& next = to_.next_number_;
        next = std::max(next, of_.next_number_);
        numbers_.insert(next);
        return next++;
    }

    inode_attributes attributes_of(const inode& node) {
        auto& choices = to_.choices_;
        const bool newer = choices.below(2) == 0;
        inode_attributes left = newer ? node.now : node.durable;
        const auto& others = newer ? node.durable.extended : node.now.extended;
        // Each attribute has its own luck.
        std::erase_if(left.extended, [&](const auto& each) {
            const auto other = others.find(each.first);
            const bool same = other != others.end() && other->second == each.second;
            return !same && choices.below(2) == 0;
        });
        for (const auto& [name, value] : others) {
            if (!left.extended.contains(name) && choices.below(2) == 0 &&
                !(newer ? node.now : node.durable).extended.contains(name)) {
                left.extended.emplace(name, value);
            }
        }
        return left;
    }

    const disk& of_;
    disk& to_;
    std::map<const inode*, inode_ref> copies_;
    std::map<const mounted*, std::shared_ptr<mounted>> mounts_;
    std::set<std::uint64_t> numbers_;
};

std::int64_t disk::sync_time() {
    constexpr std::uint64_t usual = 2'000'000;
    constexpr std::uint64_t longest = 1'000'000'000;
    const bool slow = choices_.chance(faults_.slow_sync);
    return static_cast<std::int64_t>(choices_.below(slow ? longest : usual));
}

void disk::apply(const change& c) {
    for (const auto& each : c.entries) {
        if (each.node) {
            each.folder->durable_entries.insert_or_assign(each.name, each.node);
        } else {
            each.folder->durable_entries.erase(each.name);
        }
    }
}

/// Makes the changes durable that are wanted, and all that they depend on.
void disk::make_durable(const std::function<bool(const change&)>& wanted) {
    dependencies found;
    std::vector<change> left;
    std::vector<change> done;
    for (change& each : std::views::reverse(changes_)) {
        if (wanted(each) || found.need(each)) {
            found.add(each);
            done.push_back(std::move(each));
        } else {
            left.push_back(std::move(each));
        }
    }
    for (const change& each : std::views::reverse(done)) apply(each);
    std::ranges::reverse(left);
    changes_ = std::move(left);
}

int disk::sync(inode& node, std::uint64_t& seen, bool data_only) {
    if (choices_.chance(faults_.failed_sync)) {
        node.data.lose(choices_);
        ++node.failed_syncs;
    }
    if (seen != node.failed_syncs) {
        seen = node.told_syncs = node.failed_syncs;
        return -EIO;
    }
    node.data.sync();
    if (!data_only) node.durable = node.now;
    if (node.is_folder()) {
        make_durable([&node](const change& c) {
            return std::ranges::any_of(c.entries,
                                       [&node](const auto& e) { return e.folder.get() == &node; });
        });
    }
    return 0;
}

void disk::write_back(inode& file) {
    if (!file.data.is_dirty() || !choices_.chance(faults_.failed_sync)) return;
    file.data.lose(choices_);
    ++file.failed_syncs;
}

int disk::sync_all(const inode& of) {
    if (choices_.chance(faults_.failed_sync)) return -EIO;
    make_durable([](const change&) { return true; });
    std::vector<inode*> left{root_.get()};
    while (!left.empty()) {
        inode& node = *left.back();
        left.pop_back();
        if (node.mount == of.mount) {
            node.data.sync();
            node.durable = node.now;
        }
        for (const auto& [name, entry] : node.entries) left.push_back(entry.node.get());
    }
    return 0;
}

/// Makes a legal subset of the changes durable.
void disk::keep_some_changes() {
    const auto mode = choices_.below(4);
    const auto most = mode == 2 ? choices_.below(changes_.size() + 1) : changes_.size();
    dependencies lost;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
        const change& c = changes_[i];
        bool kept = i < most && mode != 0;
        if (mode == 3) kept = choices_.below(2) == 0;
        if (!kept || lost.forbid(c)) {
            lost.add(c);
        } else {
            apply(c);
        }
    }
    changes_.clear();
}

std::unique_ptr<disk> disk::crash() {
    keep_some_changes();
    auto left = std::make_unique<disk>(options_, choices_, wall_ns_);
    left->faults_ = faults_;
    left->mounts_made_ = mounts_made_;
    left->next_number_ = next_number_;
    left->root_ = aftermath{*this, *left}.copy(*root_);
    left->root_->names = 1;
    return left;
}

}  // namespace sluice::sim
