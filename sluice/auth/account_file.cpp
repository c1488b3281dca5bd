// Implements reading, changing and replacing a file of accounts.
#include "sluice/auth/account_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>

#include "sluice/base/bytes.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::auth {
namespace {

using problem = std::unexpected<std::string>;

constexpr std::size_t largest_file = std::size_t{16} << 20U;
constexpr mode_t of_others = 077;
constexpr mode_t permission_bits = 07777;

std::string folder_of(const std::string& file) {
    const auto folder = std::filesystem::path{file}.parent_path();
    return folder.empty() ? std::string{"."} : folder.string();
}

/// The first word of a line; empty for a comment.
std::string_view name_in(std::string_view line) noexcept {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return line.starts_with('#') ? std::string_view{} : line.substr(0, line.find_first_of(" \t"));
}

result<void> write_all(int fd, std::string_view text) noexcept {
    while (!text.empty()) {
        const auto n = os::sys().write(fd, as_bytes(text));
        if (n >= 0) {
            text.remove_prefix(static_cast<std::size_t>(n));
        } else if (n != -EINTR) {
            return failure_of(static_cast<int>(-n));
        }
    }
    return {};
}

/// Writes the new file, which the caller removes after an error.
result<void> write_new(int made, const std::string& in_place_of, std::string_view text) {
    os::kernel& sys = os::sys();
    struct stat before{};
    struct stat now{};
    if (sys.fstatat(AT_FDCWD, in_place_of.c_str(), before, 0) == 0 && sys.fstat(made, now) == 0 &&
        (before.st_uid != now.st_uid || before.st_gid != now.st_gid)) {
        const int failed = sys.fchown(made, before.st_uid, before.st_gid);
        if (failed < 0) return failure_of(-failed);
    }
    if (auto written = write_all(made, text); !written) return written;
    const int failed = sys.fsync(made);
    if (failed < 0) return failure_of(-failed);
    return {};
}

}  // namespace

std::expected<std::string, std::string> read_account_file(const std::string& file) {
    os::kernel& sys = os::sys();
    const auto unreadable = [&](int code) {
        return problem{
            fmt::format("cannot read accounts from {}: {}", file, error::system(code).message())};
    };
    const unique_fd from{sys.openat(AT_FDCWD, file.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!from) return unreadable(-from.get());
    struct stat about{};
    if (const int failed = sys.fstat(from.get(), about); failed < 0) return unreadable(-failed);
    if ((about.st_mode & of_others) != 0) {
        return problem{fmt::format(
            "{} holds secrets, and others than its owner may read or write it (mode {:04o}); run: "
            "chmod 600 {}",
            file, about.st_mode & permission_bits, file)};
    }
    std::string text;
    std::array<std::byte, 4096> piece{};
    for (;;) {
        const auto n = sys.read(from.get(), piece);
        if (n == 0) return text;
        if (n == -EINTR) continue;
        if (n < 0) return unreadable(static_cast<int>(-n));
        text += as_text(const_bytes{piece}.first(static_cast<std::size_t>(n)));
        if (text.size() > largest_file) return unreadable(EFBIG);
    }
}

std::string with_line(std::string_view text, std::string_view name, std::string_view line) {
    std::string changed;
    changed.reserve(text.size() + line.size() + 2);
    bool is_written = line.empty();
    const auto add = [&](std::string_view each) {
        changed += each;
        changed += '\n';
    };
    while (!text.empty()) {
        const auto each = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), each.size() + 1));
        if (name_in(each) != name) {
            add(each);
        } else if (!is_written) {
            add(line);
            is_written = true;
        }
    }
    if (!is_written) add(line);
    return changed;
}

result<void> write_account_file(const std::string& file, std::string_view text) {
    os::kernel& sys = os::sys();
    const unique_fd folder{
        sys.openat(AT_FDCWD, folder_of(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder) return failure_of(-folder.get());
    const std::string beside = fmt::format("{}.{:016x}", file, sys.random());
    const unique_fd made{sys.openat(AT_FDCWD, beside.c_str(),
                                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!made) return failure_of(-made.get());
    auto done = write_new(made.get(), file, text);
    if (done) {
        const int failed = sys.renameat2(AT_FDCWD, beside.c_str(), AT_FDCWD, file.c_str(), 0);
        if (failed < 0) done = failure_of(-failed);
    }
    if (!done) {
        static_cast<void>(sys.unlinkat(AT_FDCWD, beside.c_str(), 0));
        return done;
    }
    // The name, too, is to survive a loss of power; the new content is in force in any case.
    static_cast<void>(sys.fsync(folder.get()));
    return {};
}

result<unique_fd> lock_account_file(const std::string& file) {
    unique_fd folder{
        os::sys().openat(AT_FDCWD, folder_of(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder) return failure_of(-folder.get());
    for (;;) {
        const int failed = os::sys().flock(folder.get(), LOCK_EX);
        if (failed == 0) return folder;
        if (failed != -EINTR) return failure_of(-failed);
    }
}

}  // namespace sluice::auth
