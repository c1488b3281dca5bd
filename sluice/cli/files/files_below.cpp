// Implements find_files_below() with a list of directories that are still to be read.
#include "sluice/cli/files/files_below.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/os/directory_reader.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

constexpr int open_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

/// Of an entry: S_IFREG, S_IFDIR ..., or -errno.
int type_of(int directory, const char* name) noexcept {
    struct stat found{};
    const int failed = os::sys().fstatat(directory, name, found, AT_SYMLINK_NOFOLLOW);
    return failed < 0 ? failed : static_cast<int>(found.st_mode & S_IFMT);
}

class search {
 public:
    explicit search(const std::string& directory)
        : top_{os::sys().openat(AT_FDCWD, directory.c_str(), open_flags)} {}

    files_below run() {
        while (!unread_.empty()) {
            const std::string below = std::exchange(unread_.back(), {});
            unread_.pop_back();
            read(below);
        }
        std::ranges::sort(found_.regular);
        std::ranges::sort(found_.omitted, {}, &files_below::omission::name);
        return std::move(found_);
    }

 private:
    /// `below` is empty or ends in a slash.
    void read(const std::string& below) {
        const int fd = top_ ? os::sys().openat(top_.get(), below.empty() ? "." : below.c_str(),
                                               below.empty() ? open_flags : open_flags | O_NOFOLLOW)
                            : top_.get();
        if (fd < 0) return omit(below, error::system(-fd).message());
        os::directory_reader reader{unique_fd{fd}};
        for (;;) {
            const auto entry = reader.next();
            if (!entry) return omit(below, entry.error().message());
            if (*entry == nullptr) return;
            const std::string_view name{(*entry)->d_name};
            if (name != "." && name != "..") add(reader.fd(), below + std::string{name}, **entry);
        }
    }

    void add(int directory, std::string name, const dirent64& entry) {
        const int type =
            entry.d_type == DT_UNKNOWN ? type_of(directory, entry.d_name) : DTTOIF(entry.d_type);
        if (type < 0) return omit(std::move(name), error::system(-type).message());
        if (type == S_IFDIR) {
            unread_.push_back(std::move(name) + "/");
        } else if (type == S_IFREG) {
            found_.regular.push_back(std::move(name));
        } else {
            omit(std::move(name), "it is no regular file and was left out; name it alone");
        }
    }

    void omit(std::string name, std::string why) {
        found_.omitted.push_back({.name = std::move(name), .why = std::move(why)});
    }

    unique_fd top_;
    std::vector<std::string> unread_{std::string{}};
    files_below found_;
};

}  // namespace

files_below find_files_below(const std::string& directory) {
    return search{directory}.run();
}

}  // namespace sluice::cli
