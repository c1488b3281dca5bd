// A file that is being received, until it is whole and gets its name.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/files/server/quota.hpp"
#include "sluice/files/server/volume.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/transfer/reservation.hpp"

namespace sluice::files {

class store;

/// What must hold of what has the name already when a file is to get it.
struct keep_rule {
    bool only_new = false;  ///< nothing has it
    /// Asked of what has the name, nullptr for nothing, at the moment it is to be given: until then
    /// no other client of a store gives or takes a name in this directory, in this process or
    /// another.
    std::function<bool(const struct stat* there)> holds = {};
    std::optional<http::sha256_value> digest = {};  ///< of the file, kept beside it
    bool may_wait = true;  ///< for others who give or take names; else EAGAIN
};

/// A file that is being received. It is not seen under any name that could be asked for, and it is
/// gone when this dies or the process ends before it was kept; a part of one that can be resumed
/// (store::resume) stays, hidden, for the next who resumes it. Movable.
class incoming {
 public:
    incoming(incoming&& other) noexcept;
    incoming& operator=(incoming&&) = delete;
    incoming(const incoming&) = delete;
    incoming& operator=(const incoming&) = delete;
    ~incoming();

    [[nodiscard]] int fd() const noexcept { return file_.get(); }
    /// Whether a file of `bytes` in all can fit: within the quota, on the disk and within the
    /// process's limit (setrlimit(2), RLIMIT_FSIZE). ENOSPC, EDQUOT, EFBIG. Takes nothing.
    [[nodiscard]] result<void> can_hold(std::uint64_t bytes) const noexcept;
    /// Room within the store's quota for so many bytes in all; what keep() does not need is given
    /// back. EDQUOT.
    [[nodiscard]] result<void> claim(std::uint64_t bytes) noexcept;
    /// Room for what comes behind the first `begin` bytes, of a file of `most` bytes if that is
    /// known: on the disk and within the quota. This outlives it, and is not moved meanwhile.
    [[nodiscard]] transfer::reservation room_from(std::uint64_t begin,
                                                  std::optional<std::uint64_t> most = {});
    /// Where the store waits for the disk, what has come so far is on it afterwards (fdatasync(2)),
    /// and keep() has little left to do. Any thread, while nobody else writes. EIO and the like.
    [[nodiscard]] result<void> write_out() noexcept;
    /// Writes the file to the disk, then gives it the name at `path`, then writes the directory: in
    /// this order (fsync(2)). What had the name before is replaced in one step; directories that
    /// are missing are made. Blocks for as long as the disk takes: offload it from a loop. Whether
    /// something was replaced. Errno of fsync(2), linkat(2), renameat2(2); EEXIST where `rule`
    /// forbids; EBUSY where another program keeps all names of the directory locked (flock(2)) for
    /// long, EAGAIN where `rule` does not wait for that; ENOTDIR or EISDIR where a file is in the
    /// way of a directory or the other way, EINVAL where something else has the name; E2BIG where
    /// too many directories are missing; EXDEV where `path` lies on another file system than the
    /// one that it was received for. The name is not given then.
    [[nodiscard]] result<bool> keep(std::string_view path, const keep_rule& rule = {});
    /// The same in the store itself, under a name made of the time and a number, which it gives.
    [[nodiscard]] result<std::string> keep_under_new_name();
    /// Does at once what its end would do: nothing is left, or a part that waits to be resumed, and
    /// what was reserved for the rest is free.
    void stop() noexcept;
    /// Nobody will resume it: it is gone when this dies.
    void forget() noexcept { resumable_ = false; }

 private:
    friend class store;
    incoming(store& owner, std::shared_ptr<const volume> on, unique_fd file,
             std::string hidden) noexcept;
    [[nodiscard]] result<void> finish_file(const std::optional<http::sha256_value>& digest);
    [[nodiscard]] result<bool> give_name(int folder, const char* name, const keep_rule& rule);
    [[nodiscard]] result<void> replace(int folder, const char* name, bool only_free);
    [[nodiscard]] int hidden_in() const noexcept;
    [[nodiscard]] result<void> give_hidden_name(int folder);
    void close_partial() noexcept;
    [[nodiscard]] std::uint64_t size() const noexcept;

    store* owner_;
    std::shared_ptr<const volume> on_;
    unique_fd file_;
    unique_fd beside_;        // the directory of the hidden name, where it is not the topmost
    std::string hidden_;      // the name it has until it gets its own, if it needs one
    bool is_part_ = false;    // the hidden name is that of a partial upload
    bool resumable_ = false;  // it stays when it is not whole
    bool kept_ = false;
    std::uint64_t counted_ = 0;  // bytes of a partial that the quota knew when it was opened
    room_claim room_;
};

}  // namespace sluice::files
