// Implements the content of simulated files: copy-on-write pages, syncs, and torn blocks.
#include "sluice/sim/content.hpp"

#include <algorithm>
#include <cstring>

namespace sluice::sim {
namespace {

/// How many dirty blocks a power loss or a failed sync leaves: few seeds in which each block has
/// its own luck would have one in which none or all are there.
class luck {
 public:
    explicit luck(random& choices) : choices_{choices}, mode_{choices.below(4)} {
        // Blocks are often written in the order of the file.
        if (mode_ == 3) limit_ = choices.below(64);
    }
    [[nodiscard]] bool next() {
        switch (mode_) {
            case 0: return false;
            case 1: return true;
            case 2: return choices_.below(2) == 0;
            default: return seen_++ < limit_;
        }
    }

 private:
    random& choices_;
    std::uint64_t mode_;
    std::uint64_t limit_ = 0;
    std::uint64_t seen_ = 0;
};

}  // namespace

std::size_t content::read(std::uint64_t at, mutable_bytes into) const {
    if (at >= size_) return 0;
    into = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_ - at)));
    for (std::size_t done = 0; done < into.size();) {
        const auto number = (at + done) / page_size;
        const auto within = static_cast<std::size_t>((at + done) % page_size);
        const auto step = std::min(page_size - within, into.size() - done);
        const auto found = now_.find(number);
        if (found == now_.end()) {
            std::memset(into.data() + done, 0, step);
        } else {
            std::memcpy(into.data() + done, found->second->data() + within, step);
        }
        done += step;
    }
    return into.size();
}

/// The page, for a change; a new one is zeros. It is copied where the disk has it too.
content::page& content::writable(std::uint64_t number) {
    auto& held = now_[number];
    if (!held) {
        held = std::make_shared<page>();
    } else if (held.use_count() > 1) {
        held = std::make_shared<page>(*held);
    }
    return *held;
}

void content::write(std::uint64_t at, const_bytes data) {
    if (data.empty()) return;
    for (std::size_t done = 0; done < data.size();) {
        const auto number = (at + done) / page_size;
        const auto within = static_cast<std::size_t>((at + done) % page_size);
        const auto step = std::min(page_size - within, data.size() - done);
        std::memcpy(writable(number).data() + within, data.data() + done, step);
        for (auto block = within / block_size; block * block_size < within + step; ++block) {
            dirty_[number] |= 1U << block;
        }
        done += step;
    }
    size_ = std::max(size_, at + data.size());
    largest_ = std::max(largest_, size_);
}

void content::resize(std::uint64_t size) {
    for (auto at = now_.lower_bound((size + page_size - 1) / page_size); at != now_.end();) {
        dirty_[at->first] = all_blocks;
        at = now_.erase(at);
    }
    const auto within = static_cast<std::size_t>(size % page_size);
    if (size < size_ && within != 0 && now_.contains(size / page_size)) {
        auto& last = writable(size / page_size);
        std::memset(last.data() + within, 0, page_size - within);
        for (auto block = within / block_size; block < page_size / block_size; ++block) {
            dirty_[size / page_size] |= 1U << block;
        }
    }
    size_ = size;
    smallest_ = std::min(smallest_, size);
    largest_ = std::max(largest_, size);
}

/// Copies those blocks of a page to the disk.
void content::settle(std::uint64_t number, unsigned blocks) {
    const auto found = now_.find(number);
    if (blocks == all_blocks) {
        if (found == now_.end()) {
            disk_.erase(number);
        } else {
            disk_[number] = found->second;
        }
        return;
    }
    if (blocks == 0) return;
    auto& held = disk_[number];
    auto merged = held ? std::make_shared<page>(*held) : std::make_shared<page>();
    for (std::size_t block = 0; block < page_size / block_size; ++block) {
        if ((blocks >> block & 1U) == 0) continue;
        auto* const to = merged->data() + block * block_size;
        if (found == now_.end()) {
            std::memset(to, 0, block_size);
        } else {
            std::memcpy(to, found->second->data() + block * block_size, block_size);
        }
    }
    held = std::move(merged);
}

void content::sync() {
    for (const auto& [number, blocks] : dirty_) settle(number, blocks);
    dirty_.clear();
    disk_size_ = smallest_ = largest_ = size_;
}

void content::lose(random& choices, std::uint64_t end) {
    luck written{choices};
    for (const auto& [number, blocks] : dirty_) {
        unsigned kept = 0;
        for (std::size_t block = 0; block < page_size / block_size; ++block) {
            const bool is_left = number * page_size + (block + 1) * block_size <= end;
            if (is_left && (blocks >> block & 1U) != 0 && written.next()) kept |= 1U << block;
        }
        settle(number, kept);
    }
    dirty_.clear();
}

void content::drop_clean() {
    pages read_again = disk_;
    for (const auto& [number, blocks] : dirty_) {
        // A dirty page stays whole in memory.
        read_again.erase(number);
        if (const auto found = now_.find(number); found != now_.end()) {
            read_again.insert(*found);
        }
    }
    now_ = std::move(read_again);
    cut_pages(size_);
}

/// Makes the bytes after `size` zeros, without a change of what is dirty.
void content::cut_pages(std::uint64_t size) {
    now_.erase(now_.lower_bound((size + page_size - 1) / page_size), now_.end());
    const auto within = static_cast<std::size_t>(size % page_size);
    if (within == 0 || !now_.contains(size / page_size)) return;
    auto& last = writable(size / page_size);
    std::memset(last.data() + within, 0, page_size - within);
}

content content::after_crash(random& choices) const {
    content left = *this;
    // A file system writes a cut as a whole: no file is as long as it was without what was in it.
    const bool was_cut = smallest_ < disk_size_;
    if (was_cut && choices.below(2) == 0) {
        left.lose(choices, smallest_);
        left.size_ = disk_size_;
    } else {
        left.lose(choices);
        const auto lowest = was_cut ? smallest_ : disk_size_;
        const auto highest = was_cut ? std::max(smallest_, size_) : std::max(largest_, disk_size_);
        switch (choices.below(3)) {
            case 0: left.size_ = lowest; break;
            case 1: left.size_ = size_; break;
            default: left.size_ = lowest + choices.below(highest - lowest + 1); break;
        }
    }
    left.drop_clean();
    left.disk_ = left.now_;
    left.disk_size_ = left.smallest_ = left.largest_ = left.size_;
    return left;
}

}  // namespace sluice::sim
