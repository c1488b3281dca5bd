// Locks a file in the directory for temporary ones.
#include "sluice/lab/only_lab.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/lab/lock_soon.hpp"

namespace sluice::lab {
namespace {

/// Whoever held the lock before may have removed the file that we opened.
bool is_still(const std::string& path, int file) {
    struct stat ours{};
    struct stat there{};
    return ::fstat(file, &ours) == 0 && ::stat(path.c_str(), &there) == 0 &&
           ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

}  // namespace

only_lab::only_lab(std::string path, unique_fd file)
    : path_{std::move(path)}, file_{std::move(file)} {}

only_lab::~only_lab() {
    if (file_) ::unlink(path_.c_str());
}

std::expected<only_lab, std::string> only_lab::claim() {
    const char* folder = std::getenv("TMPDIR");
    std::string path = folder != nullptr && *folder != '\0' ? folder : "/tmp";
    path += "/sluice-lab-" + std::to_string(::getuid()) + ".lock";
    for (;;) {
        unique_fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (!file) {
            return std::unexpected{"cannot make the lock " + path + " (" +
                                   error::system(errno).message() +
                                   "): set TMPDIR to a directory that can be written"};
        }
        if (!lock_soon(file.get(), usual_patience)) {
            return std::unexpected{
                std::string{"another lab is running, and two would measure each other: wait until "
                            "it has ended (it holds "} +
                path + ")"};
        }
        if (is_still(path, file.get())) return only_lab{std::move(path), std::move(file)};
    }
}

}  // namespace sluice::lab
