// The file systems mounted in a store, and how each of them gives a name to a complete file.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::files {

/// Features for received files that a file system has, and that this process may use.
struct abilities {
    /// How a file without a name (open(2), O_TMPFILE) gets one (linkat(2)).
    enum class unnamed : std::uint8_t {
        impossible,     ///< there are none, or they cannot be linked: a hidden name is used
        by_descriptor,  ///< AT_EMPTY_PATH, which requires CAP_DAC_READ_SEARCH
        by_proc,        ///< /proc/self/fd
    };

    unnamed links_unnamed = unnamed::impossible;
    int write_error = 0;          ///< errno of a new file; 0 if it could be made
    bool was_writable = false;    ///< a file was made
    bool has_unnamed = false;     ///< O_TMPFILE works
    bool renames_if_free = true;  ///< renameat2(2), RENAME_NOREPLACE
    bool links = true;            ///< linkat(2) of a name

    /// Probes each in `folder`, and leaves no file there. `hidden` is a name that no file has.
    /// Where `folder` cannot be written now, the values above, which work on any file system, and
    /// write_error.
    [[nodiscard]] static abilities of(int folder, const std::string& hidden);
    /// A sentence per missing feature and its replacement, without its full stop; only that nothing
    /// can be written, if it cannot.
    [[nodiscard]] std::vector<std::string> notices() const;

    /// What `why`, the error of a call that was to change the volume, says: EIO for the EROFS of
    /// one that was writable, since the kernel takes a disk that fails for read-only (ext4(5),
    /// errors=).
    [[nodiscard]] error error_of(error why) const noexcept {
        return why.is(EROFS) && was_writable ? error::system(EIO) : why;
    }

    /// Whether a free name can be given without replacing a file, even against programs that do not
    /// take our locks.
    [[nodiscard]] bool never_replaces() const noexcept { return renames_if_free || links; }
};

/// Links `file`, which has no name, as `name`. EEXIST and other errnos of linkat(2).
[[nodiscard]] result<void> link_unnamed(abilities::unnamed how, int file, int folder,
                                        const char* name) noexcept;

/// Renames within one file system unless a file has the new name: EEXIST then. Uses the call that
/// `can` names, or the next one where that is refused; where only rename(2) is left, the lock of
/// the caller on `to` keeps other servers out.
[[nodiscard]] result<void> rename_if_free(const abilities& can, int from, const char* old_name,
                                          int to, const char* name) noexcept;

/// One mounted file system. `top`, its topmost directory in the store, has the hidden files.
struct volume {
    unique_fd top;
    abilities can;
};

/// Identifies a mount (statx(2), STATX_MNT_ID; two mounts of one file system differ, for linkat(2)
/// does not link between them).
struct mount_id {
    std::uint64_t mount = 0;
    std::uint64_t device = 0;

    [[nodiscard]] static result<mount_id> of(int file) noexcept;
    [[nodiscard]] auto operator<=>(const mount_id&) const noexcept = default;
};

/// Finds the volume of a directory of the store, and caches its abilities. Holds no descriptor of a
/// volume that is not in use, so that it can be unmounted. Any thread.
class volumes {
 public:
    /// `top` is the store's directory. Errno of statx(2).
    [[nodiscard]] static result<std::unique_ptr<volumes>> open(unique_fd top);

    [[nodiscard]] std::shared_ptr<const volume> root() const noexcept { return root_; }
    /// Finds the abilities anew. Only while no other thread uses it.
    void probe_again();
    /// The volume of `folder`, which is open and lies at `path` in the store.
    [[nodiscard]] result<std::shared_ptr<const volume>> of(int folder, std::string_view path);
    /// The volumes of `path` and below that are mounted now (/proc/self/mountinfo), that of the
    /// store first; `path` is that of the directory of the store. Only the first without /proc.
    [[nodiscard]] std::vector<std::shared_ptr<const volume>> find_all(const std::string& path);
    /// Their topmost directories. Takes no lock.
    [[nodiscard]] std::vector<unique_fd> tops(const std::string& path) const;

 private:
    struct known {
        std::optional<abilities> can;  ///< none where no directory could be probed yet
        std::weak_ptr<const volume> used;
    };
    volumes(unique_fd top, mount_id id);
    [[nodiscard]] result<unique_fd> top_of(mount_id id, std::string_view path) const;

    mount_id id_;
    std::shared_ptr<volume> root_;
    os::mutex mutex_;
    std::map<mount_id, known> known_;
};

/// A name beginning with a dot that no other file of this process gets.
[[nodiscard]] std::string next_hidden_name();
/// Prefix of all hidden names.
inline constexpr std::string_view hidden_prefix = ".sluice-";

}  // namespace sluice::files
