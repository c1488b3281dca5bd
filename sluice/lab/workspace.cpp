// Implements lab::workspace: a locked temporary directory with files of random data.
#include "sluice/lab/workspace.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/lab/lock_with_timeout.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

constexpr auto name_prefix = ".sluice-lab-";

/// Locks the directory of a lab; empty if a live lab holds the lock.
unique_fd lock_of(const std::string& path) {
    unique_fd lock{
        os::sys().openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)};
    if (!lock || !lock_with_timeout(lock.get(), usual_timeout)) return {};
    return lock;
}

void remove_stale_directories(const std::string& below) {
    std::error_code ec;
    for (const auto& each : std::filesystem::directory_iterator{below, ec}) {
        const auto name = each.path().filename().string();
        if (!name.starts_with(name_prefix)) continue;
        struct stat about{};
        const int failed =
            os::sys().fstatat(AT_FDCWD, each.path().c_str(), about, AT_SYMLINK_NOFOLLOW);
        if (failed < 0 || about.st_uid != os::sys().getuid()) continue;
        if (lock_of(each.path().string())) std::filesystem::remove_all(each.path(), ec);
    }
}

std::string explain(const std::string& what, const std::string& path, int code) {
    return fmt::format("{} {}: {}", what, wire::printable(path), error::system(code).message());
}

std::expected<void, int> fill(int file, std::uint64_t size) {
    constexpr std::size_t piece = std::size_t{1} << 20;
    std::vector<std::uint64_t> buffer(piece / sizeof(std::uint64_t));
    std::mt19937_64 random{size};
    for (std::uint64_t done = 0; done < size;) {
        std::ranges::generate(buffer, random);
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(piece, size - done));
        const ssize_t written = os::sys().write(file, std::as_bytes(std::span{buffer}).first(n));
        if (written < 0) return std::unexpected{static_cast<int>(-written)};
        done += static_cast<std::uint64_t>(written);
    }
    if (const int failed = os::sys().fsync(file); failed < 0) return std::unexpected{-failed};
    return {};
}

}  // namespace

workspace::workspace(std::string path, unique_fd lock)
    : path_{std::move(path)}, lock_{std::move(lock)} {}

workspace::~workspace() {
    std::error_code ec;
    if (lock_) std::filesystem::remove_all(path_, ec);
}

std::expected<workspace, std::string> workspace::make(const std::string& below) {
    remove_stale_directories(below);
    os::kernel& sys = os::sys();
    const auto path = fmt::format("{}/{}{:016x}", below, name_prefix, sys.random());
    if (const int failed = sys.mkdirat(AT_FDCWD, path.c_str(), 0700); failed < 0) {
        return std::unexpected{explain("cannot make files in", below, -failed) +
                               "; choose a directory that can be written with --directory"};
    }
    std::string absolute;
    const int failed = sys.realpath(path.c_str(), absolute);
    auto lock = lock_of(path);
    if (failed < 0 || !lock) {
        sys.unlinkat(AT_FDCWD, path.c_str(), AT_REMOVEDIR);
        return std::unexpected{"cannot lock " + wire::printable(path) +
                               "; choose another directory with --directory"};
    }
    return workspace{std::move(absolute), std::move(lock)};
}

std::uint64_t workspace::free_space() const noexcept {
    struct statvfs about{};
    if (os::sys().fstatvfs(lock_.get(), about) < 0) return 0;
    return std::uint64_t{about.f_bavail} * about.f_frsize;
}

std::expected<std::string, std::string> workspace::file_of(std::uint64_t size) const {
    auto path = path_of(fmt::format("file-{}", size));
    std::error_code ec;
    if (std::filesystem::file_size(path, ec) == size && !ec) return path;
    const unique_fd file{os::sys().openat(
        AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file) return std::unexpected{explain("cannot make", path, -file.get())};
    if (auto filled = fill(file.get(), size); !filled) {
        os::sys().unlinkat(AT_FDCWD, path.c_str(), 0);
        return std::unexpected{
            fmt::format("cannot write a file of {} bytes in {}: {}; give it less with --size, or "
                        "another place with --directory",
                        size, wire::printable(path_), error::system(filled.error()).message())};
    }
    return path;
}

std::expected<std::string, std::string> workspace::empty_directory(const std::string& name) const {
    auto path = path_of(name);
    std::error_code ec;
    std::filesystem::remove_all(path, ec);
    if (!std::filesystem::create_directory(path, ec)) {
        return std::unexpected{explain("cannot make", path, ec.value())};
    }
    return path;
}

}  // namespace sluice::lab
