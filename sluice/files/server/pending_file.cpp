// Implements pending files: space, sync, and the link or rename to the final name.
#include "sluice/files/server/pending_file.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <limits>
#include <utility>

#include "sluice/base/planted_bug.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/files/server/beneath.hpp"
#include "sluice/files/server/name_lock.hpp"
#include "sluice/files/server/path.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/os/clock.hpp"

namespace sluice::files {

pending_file::pending_file(store& owner, std::shared_ptr<const volume> on, unique_fd file,
                           std::string hidden) noexcept
    : owner_{&owner},
      volume_{std::move(on)},
      file_{std::move(file)},
      hidden_{std::move(hidden)},
      claimed_{*owner.quota_} {}

pending_file::pending_file(pending_file&& other) noexcept
    : owner_{other.owner_},
      volume_{std::move(other.volume_)},
      file_{std::move(other.file_)},
      hidden_folder_{std::move(other.hidden_folder_)},
      hidden_{std::exchange(other.hidden_, {})},
      is_part_{other.is_part_},
      resumable_{std::exchange(other.resumable_, false)},
      committed_{other.committed_},
      counted_{other.counted_},
      path_{std::move(other.path_)},
      total_{other.total_},
      durable_{other.durable_},
      claimed_{std::move(other.claimed_)} {}

pending_file::~pending_file() {
    stop();
}

void pending_file::stop() noexcept {
    if (!file_) return;
    if (!hidden_.empty() && resumable_ && size() > 0) {
        close_partial();
    } else if (!committed_) {
        // Frees the space on the disk at once: a thread that computes the digest may have the file
        // open for a moment yet.
        static_cast<void>(os::sys().ftruncate(file_.get(), 0));
        if (!hidden_.empty()) os::sys().unlinkat(hidden_in(), hidden_.c_str(), 0);
        if (is_part_) owner_->parts_->ended();
        owner_->quota_->remove(counted_);
    }
    hidden_.clear();
    claimed_.settle(0);
    file_.reset();
}

/// Gives back reserved space that was not written; written bytes stay counted. The file keeps the
/// time of its last byte, by which it expires: ftruncate(2) sets it also where the size stays.
void pending_file::close_partial() noexcept {
    os::kernel& sys = os::sys();
    struct stat held{};
    static_cast<void>(describe());
    const bool known = sys.fstat(file_.get(), held) == 0;
    const std::uint64_t now = known ? size_of(held) : 0;
    if (known && sys.ftruncate(file_.get(), now) == 0) {
        const std::array<timespec, 2> times{timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                                            held.st_mtim};
        static_cast<void>(sys.futimens(file_.get(), times));
    }
    claimed_.settle(now > counted_ ? now - counted_ : 0);
}

std::uint64_t pending_file::size() const noexcept {
    struct stat now{};
    return os::sys().fstat(file_.get(), now) < 0 ? 0 : size_of(now);
}

result<void> pending_file::can_hold(std::uint64_t bytes) const noexcept {
    const auto& quota = *owner_->quota_;
    const std::uint64_t new_bytes = bytes - std::min(bytes, counted_);
    if (quota.is_limited() && new_bytes > quota.limit() - std::min(quota.limit(), quota.taken())) {
        return failure_of(EDQUOT);
    }
    os::kernel& sys = os::sys();
    rlimit largest{};
    if (sys.getrlimit(RLIMIT_FSIZE, largest) == 0 && bytes > largest.rlim_cur) {
        return failure_of(EFBIG);
    }
    if (bytes > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) {
        return failure_of(EFBIG);
    }
    struct statvfs disk{};
    struct stat now{};
    // Some file systems do not report their size.
    if (sys.fstatvfs(file_.get(), disk) < 0 || disk.f_blocks == 0) return {};
    if (sys.fstat(file_.get(), now) < 0) return {};
    const std::uint64_t held = size_of(now);
    // Blocks reserved for root count, for the process may be root.
    const std::uint64_t free = std::uint64_t{disk.f_bfree} * disk.f_frsize;
    if (bytes > held && bytes - held > free) return failure_of(ENOSPC);
    return {};
}

result<void> pending_file::claim(std::uint64_t bytes) noexcept {
    if (!claimed_.grow_to(bytes > counted_ ? bytes - counted_ : 0)) return failure_of(EDQUOT);
    return {};
}

transfer::reservation pending_file::space_from(std::uint64_t begin,
                                               std::optional<std::uint64_t> most) {
    transfer::reservation::limits limits{.begin = begin,
                                         .claim = [this](std::uint64_t end) { return claim(end); }};
    if (most) limits.most = *most;
    // A small file is written at once, and gets the same layout without a reservation.
    constexpr std::uint64_t small = std::uint64_t{256} << 10;
    return {file_.get(), limits.most - std::min(limits.most, begin) > small, std::move(limits)};
}

result<void> pending_file::write_out() noexcept {
    if (!owner_->options_.sync) return {};
    const int failed = os::sys().fdatasync(file_.get());
    if (failed < 0) return failure_of(-failed);
    return {};
}

bool pending_file::describe() const noexcept {
    return owner_->parts_->describe(file_.get(), path_, total_, durable_);
}

result<void> pending_file::secure() noexcept {
    if (!owner_->options_.sync || !resumable_) return {};
    const auto written = write_out();
    // The pages that failed are gone, and the next call would report success.
    if (!written) {
        sometimes(rare_path::files_sync_failed);
        forget();
        return written;
    }
    durable_ = size();
    return {};
}

result<void> pending_file::write_again_from(std::uint64_t begin) noexcept {
    durable_ = std::min(durable_, begin);
    if (!describe()) return failure_of(EIO);
    return sync_file(file_.get());
}

result<void> pending_file::finish_file(const std::optional<http::sha256_value>& digest) {
    if (is_part_) parts::forget_description(file_.get());
    if (digest) {
        struct stat now{};
        if (os::sys().fstat(file_.get(), now) == 0) keep_digest(file_.get(), now, *digest);
    }
    if (!owner_->options_.sync || planted(bug::files_acknowledged_before_sync)) return {};
    // As in secure().
    if (auto synced = sync_file(file_.get()); !synced) {
        forget();
        return synced;
    }
    if (is_part_) durable_ = size();
    return {};
}

void pending_file::count_off(const struct stat& replaced) noexcept {
    owner_->quota_->remove(size_of(replaced));
    if (planted(bug::files_quota_twice)) owner_->quota_->remove(size_of(replaced));
}

result<bool> pending_file::give_name(int folder, const char* name, const commit_rule& rule) {
    // Exclusive where the quota counts bytes, so that no other thread replaces the file that is
    // found here and counted off; and where no system call keeps a name from being replaced.
    const bool exclusive =
        rule.holds != nullptr || owner_->quota_->is_limited() || !volume_->can.never_replaces();
    name_lock names{*owner_->names_, exclusive};
    if (auto locked = names.take(folder, rule.may_wait); !locked) return failure(locked.error());
    for (;;) {
        const auto there = look_at(folder, name);
        if (there) {
            if (auto may = may_be_replaced(*there); !may) return failure(may.error());
            if (rule.only_new) return failure_of(EEXIST);
        } else if (!there.error().is(ENOENT)) {
            return failure(there.error());
        }
        if (rule.holds && !rule.holds(there ? &*there : nullptr)) {
            sometimes(rare_path::files_condition_lost);
            return failure_of(EEXIST);
        }
        const auto named =
            there || !hidden_.empty()
                ? replace(folder, name, rule.only_new || (rule.holds && !there))
                : link_unnamed(volume_->can.links_unnamed, file_.get(), folder, name);
        if (named) {
            if (there) count_off(*there);
            sometimes(rare_path::files_replaced, there.has_value());
            return there.has_value();
        }
        // Another holder of the shared lock, or a program that takes no lock, was faster.
        if (!named.error().is(EEXIST) || rule.only_new) return failure(named.error());
    }
}

int pending_file::hidden_in() const noexcept {
    return hidden_folder_ ? hidden_folder_.get() : volume_->top.get();
}

// In the topmost directory, where the next start of a server finds it if this one is killed.
result<void> pending_file::give_hidden_name(int folder) {
    std::string name = next_hidden_name();
    static_cast<void>(lock_file(file_.get()));
    const auto how = volume_->can.links_unnamed;
    auto linked = link_unnamed(how, file_.get(), volume_->top.get(), name.c_str());
    if (!linked && linked.error().is(EACCES)) {
        hidden_folder_.reset(os::sys().fcntl(folder, F_DUPFD_CLOEXEC));
        if (!hidden_folder_) return failure_of(-hidden_folder_.get());
        linked = link_unnamed(how, file_.get(), folder, name.c_str());
    }
    if (linked) hidden_ = std::move(name);
    return linked;
}

// linkat(2) replaces no file: to replace one, the file first gets a hidden name.
result<void> pending_file::replace(int folder, const char* name, bool only_free) {
    if (hidden_.empty()) {
        if (auto named = give_hidden_name(folder); !named) return named;
    }
    if (only_free) {
        auto named = rename_if_free(volume_->can, hidden_in(), hidden_.c_str(), folder, name);
        if (!named) return named;
    } else {
        const int failed = os::sys().renameat2(hidden_in(), hidden_.c_str(), folder, name, 0);
        if (failed < 0) return failure_of(-failed);
    }
    hidden_.clear();
    return {};
}

result<bool> pending_file::commit(std::string_view path, const commit_rule& rule) {
    if (judge_path(path).fault != path_fault::none) return failure_of(EINVAL);
    if (auto done = finish_file(rule.digest); !done) return failure(done.error());
    auto folder = owner_->durable_folder_of(path);
    if (!folder) return failure(folder.error());
    const auto replaced = give_name(folder->get(), std::string{split(path).name}.c_str(), rule);
    if (!replaced) return replaced;
    committed_ = true;
    if (is_part_) owner_->parts_->ended();
    const auto now = size();
    claimed_.settle(now > counted_ ? now - counted_ : 0);
    if (owner_->options_.sync && !planted(bug::files_name_not_synced)) {
        if (auto synced = sync_file(folder->get()); !synced) return failure(synced.error());
    }
    return replaced;
}

result<std::string> pending_file::commit_under_new_name() {
    const auto now = std::chrono::system_clock::to_time_t(os::wall_clock_now());
    for (unsigned number = 1;; ++number) {
        std::string name = fmt::format("upload-{:%Y%m%d-%H%M%S}-{}", fmt::gmtime(now), number);
        auto kept = commit(name, {.only_new = true});
        if (kept) return name;
        if (!kept.error().is(EEXIST)) return failure(kept.error());
    }
}

}  // namespace sluice::files
