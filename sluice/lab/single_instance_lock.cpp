// Implements single_instance_lock: flock(2) on a file per user in TMPDIR.
#include "sluice/lab/single_instance_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/lab/lock_with_timeout.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::lab {
namespace {

/// Whether `path` still names the open `file`: the previous owner of the lock unlinks it.
bool is_same_file(const std::string& path, int file) {
    struct stat opened{};
    struct stat current{};
    os::kernel& sys = os::sys();
    return sys.fstat(file, opened) == 0 && sys.fstatat(AT_FDCWD, path.c_str(), current, 0) == 0 &&
           opened.st_ino == current.st_ino && opened.st_dev == current.st_dev;
}

}  // namespace

single_instance_lock::single_instance_lock(std::string path, unique_fd file)
    : path_{std::move(path)}, file_{std::move(file)} {}

single_instance_lock::~single_instance_lock() {
    if (file_) os::sys().unlinkat(AT_FDCWD, path_.c_str(), 0);
}

std::expected<single_instance_lock, std::string> single_instance_lock::claim() {
    const char* directory = std::getenv("TMPDIR");
    std::string path = directory != nullptr && *directory != '\0' ? directory : "/tmp";
    path += "/sluice-lab-" + std::to_string(os::sys().getuid()) + ".lock";
    for (;;) {
        unique_fd file{os::sys().openat(AT_FDCWD, path.c_str(),
                                        O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (!file) {
            return std::unexpected{"cannot make the lock " + path + " (" +
                                   error::system(-file.get()).message() +
                                   "): set TMPDIR to a directory that can be written"};
        }
        if (!lock_with_timeout(file.get(), usual_timeout)) {
            return std::unexpected{
                std::string{"another lab is running, and two would measure each other: wait until "
                            "it has ended (it holds "} +
                path + ")"};
        }
        if (is_same_file(path, file.get()))
            return single_instance_lock{std::move(path), std::move(file)};
    }
}

}  // namespace sluice::lab
