// Upload in progress: a file without a visible name until it is complete and committed.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/files/server/quota.hpp"
#include "sluice/files/server/volume.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/transfer/reservation.hpp"

namespace sluice::files {

class store;

/// Conditions and options for giving a received file its name.
struct commit_rule {
    bool only_new = false;  ///< no file has the name
    /// Called with the file of this name, nullptr for none, when the name is to be given: until
    /// then no other client of a store gives or removes a name in this directory, in this process
    /// or another.
    std::function<bool(const struct stat* there)> holds = {};
    std::optional<http::sha256_value> digest = {};  ///< of the file, kept beside it
    bool may_wait = true;                           ///< for the lock on the directory; else EAGAIN
};

/// A file that is being received, not visible under any path of the store. Removed by the
/// destructor, or by the end of the process, unless it was kept; where it has a hidden name, by the
/// next start of a server. A resumable part (store::resume) stays, hidden. Movable.
class pending_file {
 public:
    pending_file(pending_file&& other) noexcept;
    pending_file& operator=(pending_file&&) = delete;
    pending_file(const pending_file&) = delete;
    pending_file& operator=(const pending_file&) = delete;
    ~pending_file();

    [[nodiscard]] int fd() const noexcept { return file_.get(); }
    /// Whether a file of `bytes` in all can fit: within the quota, on the disk and within the limit
    /// of the process (setrlimit(2), RLIMIT_FSIZE). ENOSPC, EDQUOT, EFBIG. Claims nothing.
    [[nodiscard]] result<void> can_hold(std::uint64_t bytes) const noexcept;
    /// Claims `bytes` in all of the quota of the store; commit() gives back the rest. EDQUOT.
    [[nodiscard]] result<void> claim(std::uint64_t bytes) noexcept;
    /// Space for the bytes after the first `begin`, of a file of `most` bytes if that is known: on
    /// the disk and within the quota. This outlives it, and is not moved meanwhile.
    [[nodiscard]] transfer::reservation space_from(std::uint64_t begin,
                                                   std::optional<std::uint64_t> most = {});
    /// Where the store syncs, writes the bytes so far to the disk (fdatasync(2)), so that commit()
    /// is fast. Any thread, while no other thread writes. Errno of fdatasync(2).
    [[nodiscard]] result<void> write_out() noexcept;
    /// For a part that ends before the file does: where the store syncs, makes the bytes so far
    /// durable (fdatasync(2)), so that they may be resumed after a power loss, too. A part that
    /// cannot be written is forgotten. As write_out().
    [[nodiscard]] result<void> secure() noexcept;
    /// Before bytes of a part from `begin` on are written again: those are then no longer durable
    /// (fsync(2)). Blocks. Errno of fsetxattr(2) or fsync(2).
    [[nodiscard]] result<void> write_again_from(std::uint64_t begin) noexcept;
    /// Whether write_again_from() has something to do.
    [[nodiscard]] bool is_durable_beyond(std::uint64_t begin) const noexcept {
        return durable_ > begin;
    }
    /// Writes the file to the disk, then gives it the name at `path`, then writes the directory, in
    /// this order (fsync(2), if the store syncs). Replaces a file of this name in one step; makes
    /// missing directories. Blocks for as long as the disk takes: offload it from a loop. True if
    /// it replaced a file. Errno of fsync(2), linkat(2), renameat2(2); EEXIST where `rule` forbids;
    /// EBUSY where another program keeps the directory locked (flock(2)) for 5 s, EAGAIN where
    /// `rule` does not wait for that; ENOTDIR or EISDIR where a file is in the way of a directory
    /// or the other way, EINVAL for an invalid path or a name that is of neither; E2BIG where too
    /// many directories are missing; EXDEV where `path` is on another file system than the file.
    /// The name is not given then, unless the last fsync(2) failed.
    [[nodiscard]] result<bool> commit(std::string_view path, const commit_rule& rule = {});
    /// The same in the store itself, under a name made of time and number, which it returns.
    [[nodiscard]] result<std::string> commit_under_new_name();
    /// Does at once what the destructor does: removes the file, or leaves a part to be resumed, and
    /// frees the space reserved for the rest.
    void stop() noexcept;
    /// No client will resume it: the destructor removes it.
    void forget() noexcept { resumable_ = false; }

 private:
    friend class store;
    pending_file(store& owner, std::shared_ptr<const volume> on, unique_fd file,
                 std::string hidden) noexcept;
    [[nodiscard]] result<void> finish_file(const std::optional<http::sha256_value>& digest);
    /// The file that was replaced no longer counts for the quota.
    void count_off(const struct stat& replaced) noexcept;
    [[nodiscard]] result<bool> give_name(int folder, const char* name, const commit_rule& rule);
    [[nodiscard]] result<void> replace(int folder, const char* name, bool only_free);
    [[nodiscard]] int hidden_in() const noexcept;
    [[nodiscard]] result<void> give_hidden_name(int folder);
    void close_partial() noexcept;
    bool describe() const noexcept;
    [[nodiscard]] std::uint64_t size() const noexcept;

    store* owner_;
    std::shared_ptr<const volume> volume_;
    unique_fd file_;
    unique_fd hidden_folder_;  // directory of hidden_, if not the topmost
    std::string hidden_;       // temporary name, if there is one
    bool is_part_ = false;     // the hidden name is that of a partial upload
    bool resumable_ = false;   // it stays when it is incomplete
    bool committed_ = false;
    std::uint64_t counted_ = 0;  // bytes that the quota counted at the opening
    // Of a part: the path and the size of the whole file, and bytes that a power loss leaves.
    std::string path_;
    std::uint64_t total_ = 0;
    std::uint64_t durable_ = 0;
    space_claim claimed_;
};

}  // namespace sluice::files
