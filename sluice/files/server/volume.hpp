// The mounted file systems of a store, and how each of them gives a name to a whole file.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"

namespace sluice::files {

/// What a file system, and what this process may do on it, offer for files that are received.
struct abilities {
    /// How a file without a name (open(2), O_TMPFILE) gets one (linkat(2)).
    enum class unnamed : std::uint8_t {
        impossible,     ///< there are none, or they cannot be linked: a hidden name is used
        by_descriptor,  ///< AT_EMPTY_PATH, which takes CAP_DAC_READ_SEARCH
        by_proc,        ///< /proc/self/fd
    };

    unnamed links_unnamed = unnamed::impossible;
    bool has_unnamed = false;     ///< O_TMPFILE works
    bool renames_if_free = true;  ///< renameat2(2), RENAME_NOREPLACE
    bool links = true;            ///< linkat(2) of a name

    /// Tries each in `folder`, and leaves nothing there. `hidden` is a name that nothing else has.
    /// Where nothing can be written there now, the values above, which work on any file system.
    [[nodiscard]] static abilities of(int folder, const std::string& hidden) noexcept;
    /// What is used in place of what is missing, a sentence each, without its full stop.
    [[nodiscard]] std::vector<std::string> remarks() const;

    /// Whether a name that is free can be given so that it replaces nothing, whatever programs that
    /// know nothing of our locks do meanwhile.
    [[nodiscard]] bool never_replaces() const noexcept { return renames_if_free || links; }
};

/// Gives `file`, which has no name, the one in `folder`. EEXIST and other errnos of linkat(2).
[[nodiscard]] result<void> link_unnamed(abilities::unnamed how, int file, int folder,
                                        const char* name) noexcept;

/// Renames within one file system unless something has the new name already: EEXIST then. By the
/// way that `can` says, or the next one where that is refused; where there is none but rename(2),
/// the caller's lock on `to` keeps other servers out.
[[nodiscard]] result<void> rename_if_free(const abilities& can, int from, const char* old_name,
                                          int to, const char* name) noexcept;

/// One mounted file system. Hidden files of a store lie in its topmost directory of the store.
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

/// Finds the volume of a directory of the store, and remembers what each can. No descriptor of one
/// that is not in use is held, so that it can be unmounted. Any thread.
class volumes {
 public:
    /// `top` is the store's directory. Errno of statx(2).
    [[nodiscard]] static result<std::unique_ptr<volumes>> open(unique_fd top);

    [[nodiscard]] const std::shared_ptr<const volume>& root() const noexcept { return root_; }
    /// The volume of `folder`, which is open and lies at `path` in the store.
    [[nodiscard]] result<std::shared_ptr<const volume>> of(int folder, std::string_view path);
    /// Those of `path` and below that are mounted at the moment (/proc/self/mountinfo), the store's
    /// own first; `path` is that of the store's directory. Only that where there is no /proc.
    [[nodiscard]] std::vector<std::shared_ptr<const volume>> find_all(const std::string& path);
    /// The topmost directories of the same. Takes no lock.
    [[nodiscard]] std::vector<unique_fd> tops(const std::string& path) const;

 private:
    struct known {
        std::optional<abilities> can;  ///< nothing where no place could be tried yet
        std::weak_ptr<const volume> used;
    };
    volumes(unique_fd top, mount_id id) noexcept;
    [[nodiscard]] result<unique_fd> top_of(mount_id id, std::string_view path) const;

    mount_id id_;
    std::shared_ptr<const volume> root_;
    std::mutex mutex_;
    std::map<mount_id, known> known_;
};

/// A name beginning with a dot that no other file of this process gets.
[[nodiscard]] std::string next_hidden_name();
/// What all hidden names begin with.
inline constexpr std::string_view hidden_prefix = ".sluice-";

}  // namespace sluice::files
