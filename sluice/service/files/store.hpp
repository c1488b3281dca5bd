// A directory into which files come whole or not at all.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/service/files/listing.hpp"
#include "sluice/service/files/path.hpp"
#include "sluice/service/files/quota.hpp"
#include "sluice/wire/digest_field.hpp"

namespace sluice::service::files {

class store;

/// A file as it is at one moment: another one of the same name, or the same one changed, differs.
struct file_state {
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    timespec modified{};

    [[nodiscard]] static file_state of(const struct stat& found) noexcept;
    [[nodiscard]] bool operator==(const file_state& other) const noexcept;
};

/// What must hold of what has the name already when a file is to get it.
struct keep_rule {
    bool only_new = false;  ///< nothing has it
    /// Asked of what has the name, nullptr for nothing, at the moment it is to be given: until then
    /// nobody else gives or takes a name in this directory by way of a store, in this process or
    /// another.
    std::function<bool(const struct stat* there)> holds = {};
    std::optional<wire::sha256_value> digest = {};  ///< of the file, kept beside it
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
    /// Room for a file of `bytes` in all: within the quota, and on the disk (fallocate(2)) where
    /// `on_disk`. ENOSPC, EDQUOT (the quota of the store, too), EFBIG.
    [[nodiscard]] result<void> make_room(std::uint64_t bytes, bool on_disk);
    /// Where the store waits for the disk, what has come so far is on it afterwards (fdatasync(2)),
    /// and keep() has little left to do. Any thread, while nobody else writes. EIO and the like.
    [[nodiscard]] result<void> write_out() noexcept;
    /// Writes the file to the disk, then gives it the name at `path`, then writes the directory: in
    /// this order (fsync(2)). What had the name before is replaced in one step; directories that
    /// are missing are made. Blocks for as long as the disk takes: offload it from a loop. Whether
    /// something was replaced. Errno of fsync(2), linkat(2), renameat2(2); EEXIST where `rule`
    /// forbids; EBUSY where somebody keeps all names of the directory for himself (flock(2)) for
    /// long, EAGAIN where `rule` does not wait for that; ENOTDIR or EISDIR where a file is in the
    /// way of a directory or the other way, EINVAL where something else has the name. The name is
    /// not given then.
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
    incoming(store& owner, unique_fd file, std::string hidden) noexcept;
    [[nodiscard]] result<void> finish_file(const std::optional<wire::sha256_value>& digest);
    [[nodiscard]] result<bool> give_name(int folder, const char* name, const keep_rule& rule);
    [[nodiscard]] result<void> give_free_name(int folder, const char* name);
    [[nodiscard]] result<void> replace(int folder, const char* name, const keep_rule& rule,
                                       bool found);
    [[nodiscard]] result<void> give_hidden_name();
    void close_partial() noexcept;
    [[nodiscard]] std::uint64_t size() const noexcept;

    store* owner_;
    unique_fd file_;
    std::string hidden_;         // the name it has until it gets its own, if it needs one
    bool resumable_ = false;     // the hidden name is that of a partial upload
    std::uint64_t counted_ = 0;  // bytes of a partial that the quota knew when it was opened
    room_claim room_;
};

/// A file that was opened, and what it was then.
struct found_file {
    unique_fd file;
    struct stat now{};
};

/// Opens the directory once, and reaches everything from there: whoever renames or replaces it
/// meanwhile changes nothing, and no symbolic link is followed anywhere below it. Any thread.
class store {
 public:
    struct options {
        bool sync = true;                        ///< a file that was kept is on the disk (fsync(2))
        std::uint64_t quota = quota::unlimited;  ///< bytes of all files
        /// How long a part of a file waits to be resumed; looked at when the store is opened.
        std::chrono::seconds keep_partial = std::chrono::hours{24};
    };

    /// Makes the directory if there is none, and removes what an earlier process left half done and
    /// nobody can resume. Errno of mkdir(2), open(2): ENOTDIR, EACCES ...
    [[nodiscard]] static result<store> open(const std::string& path, options o);
    store(store&& other) noexcept = default;
    store& operator=(store&&) = delete;
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    ~store() = default;

    /// A new file without a name. ENOSPC, EMFILE ...
    [[nodiscard]] result<incoming> receive();

    /// The part of a file that `key` names and that has arrived before; empty if there is none.
    /// Locked: EBUSY where somebody else receives it at the moment.
    [[nodiscard]] result<incoming> resume(std::string_view key);
    /// How much of that has arrived.
    [[nodiscard]] std::uint64_t arrived(std::string_view key) const;

    /// A regular file, for reading; `path` is none that judge_path() refuses, else EINVAL. ENOENT,
    /// EISDIR, ELOOP for a symbolic link on the way; ENXIO for what is neither file nor directory.
    [[nodiscard]] result<found_file> read(std::string_view path) const;
    /// What has the name at `path`, a symbolic link as itself. ENOENT, ENOTDIR ...
    [[nodiscard]] result<struct stat> look(std::string_view path) const;
    /// What may be seen in a directory; the store itself for an empty path. ENOENT, ENOTDIR ...
    [[nodiscard]] result<std::vector<listing_entry>> list(std::string_view path) const;
    /// Takes a regular file's name away, for good when it returns. ENOENT, EISDIR, EEXIST where
    /// `only` is given and something else has the name by now; EBUSY as for incoming::keep().
    [[nodiscard]] result<void> remove(std::string_view path,
                                      const std::optional<file_state>& only = {});

    [[nodiscard]] int directory() const noexcept { return directory_.get(); }
    [[nodiscard]] const quota& room() const noexcept { return *room_; }
    [[nodiscard]] bool syncs() const noexcept { return options_.sync; }

 private:
    friend class incoming;
    class name_lock;
    store(unique_fd directory, options o);
    [[nodiscard]] result<void> remove_leftovers() const;
    void count_files() noexcept;
    [[nodiscard]] std::string next_hidden_name();
    /// The directory that holds `path`, made if need be.
    [[nodiscard]] result<unique_fd> folder_of(std::string_view path, bool make) const;

    unique_fd directory_;
    options options_;
    std::unique_ptr<quota> room_;
    std::unique_ptr<std::atomic<std::uint64_t>> last_;
    std::unique_ptr<std::shared_mutex> names_;  // of all directories, where these have no locks
};

}  // namespace sluice::service::files
