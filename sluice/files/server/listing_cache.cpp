// Implements the listing cache: a slot per directory, filled by one thread at a time.
#include "sluice/files/server/listing_cache.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <utility>

namespace sluice::files {
namespace {

using namespace std::chrono_literals;

constexpr auto longest_age = 2s;
// The kernel's clock for files goes in steps of up to 10 ms (CONFIG_HZ): the times of a directory
// do not show a change within the step in which it was read.
constexpr auto clock_step = 20ms;

bool is_settled(const folder_version& v) noexcept {
    const auto now = os::wall_clock_now().time_since_epoch();
    const std::chrono::nanoseconds last{std::max(v.modified, v.changed)};
    return now - last > clock_step;
}

}  // namespace

std::shared_ptr<listing_cache::slot> listing_cache::slot_for(std::string_view path) {
    const std::lock_guard lock{mutex_};
    const auto found =
        std::ranges::find_if(slots_, [path](const auto& each) { return each->path == path; });
    if (found != slots_.end()) {
        slots_.splice(slots_.begin(), slots_, found);
    } else {
        auto made = std::make_shared<slot>();
        made->path = path;
        slots_.push_front(std::move(made));
        if (slots_.size() > most_slots) slots_.pop_back();
    }
    return slots_.front();
}

void listing_cache::drop_others(const slot* but) {
    const std::lock_guard lock{mutex_};
    std::erase_if(slots_, [but](const auto& each) { return each.get() != but; });
}

result<listing_cache::contents> listing_cache::count(folder_contents& found) {
    const std::size_t bytes = found.memory();
    if (memory_->fetch_add(bytes) + bytes > limits_.memory) {
        memory_->fetch_sub(bytes);
        return failure_of(ENOBUFS);
    }
    /// Subtracts its memory when the last response releases it.
    struct counted_contents {
        folder_contents what;
        std::size_t bytes;
        std::shared_ptr<std::atomic<std::size_t>> all;

        counted_contents(folder_contents&& w, std::size_t b,
                         std::shared_ptr<std::atomic<std::size_t>> a) noexcept
            : what{std::move(w)}, bytes{b}, all{std::move(a)} {}
        counted_contents(const counted_contents&) = delete;
        counted_contents& operator=(const counted_contents&) = delete;
        ~counted_contents() { all->fetch_sub(bytes); }
    };
    auto owner = std::make_shared<counted_contents>(std::move(found), bytes, memory_);
    return contents{owner, &owner->what};
}

result<std::shared_ptr<const folder_contents>> listing_cache::get(std::string_view path) {
    auto folder = store_.folder(path);
    if (!folder) return failure(folder.error());
    const auto mine = slot_for(path);
    const std::lock_guard lock{mine->reading};
    struct stat now{};
    const int failed = os::sys().fstat(folder->get(), now);
    if (failed < 0) return failure_of(-failed);
    const auto version = folder_version::of(now);
    const bool fresh =
        mine->holds && version == mine->version && os::clock::now() - mine->read_at < longest_age;
    if (fresh) return mine->holds;
    const auto before = std::exchange(mine->holds, {});
    const auto began = os::clock::now();
    const bool settled = is_settled(version);
    auto found = read_folder(std::move(*folder), limits_.entries);
    if (!found) return failure(found.error());
    const bool same =
        before && before->hash == found->hash && before->entries.size() == found->entries.size();
    // Slow clients hold the contents that they were given: all share them while they are the same.
    result<contents> counted = same ? result<contents>{before} : count(*found);
    if (!counted) {
        drop_others(mine.get());
        counted = count(*found);
    }
    if (!counted) return counted;
    if (settled) {
        mine->version = version;
        mine->read_at = began;
        mine->holds = *counted;
    }
    return counted;
}

}  // namespace sluice::files
