// The simulated disk against the file system below the test's directory: random sequences of calls
// have the same results on both, and leave the same files.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sluice/sim/disk.hpp"

namespace sluice::sim {
namespace {

constexpr std::size_t slots = 4;  // of open files

/// A call with all that it may need.
struct step {
    enum class call : std::uint8_t {
        open,
        open_beneath,
        open_unnamed,
        close,
        make_folder,
        make_link,
        remove,
        remove_folder,
        link,
        link_open,
        rename,
        rename_if_free,
        stat,
        read,
        write,
        resize,
        allocate,
        set_attribute,
        get_attribute,
        remove_attribute,
        list,
        lock,
        count,
    };
    call what = call::open;
    std::size_t from = 0;  // slots; that of `slots` is the topmost directory
    std::size_t to = 0;
    std::size_t file = 0;
    std::string path;
    std::string other;
    int flags = 0;
    std::uint64_t at = 0;
    std::uint64_t size = 0;
    char byte = 'x';
};

std::string show_stat(const struct stat& s) {
    if (S_ISDIR(s.st_mode)) return fmt::format("mode {:o}", s.st_mode);
    return fmt::format("mode {:o} links {} size {}", s.st_mode, s.st_nlink, s.st_size);
}

std::vector<std::string> names_in(const std::byte* from, ssize_t size) {
    std::vector<std::string> names;
    constexpr std::size_t size_at = 16;
    constexpr std::size_t name_at = 19;
    for (ssize_t at = 0; at < size;) {
        std::uint16_t length = 0;
        std::memcpy(&length, from + at + size_at, sizeof length);
        names.emplace_back(reinterpret_cast<const char*>(from + at + name_at));
        at += length;
    }
    return names;
}

std::string show_names(std::vector<std::string> names) {
    std::ranges::sort(names);
    return fmt::format("{}", fmt::join(names, " "));
}

/// A side of the comparison: does steps, and describes their results.
class side {
 public:
    side() = default;
    side(const side&) = delete;
    side& operator=(const side&) = delete;
    virtual ~side() = default;
    virtual std::string take(const step& s) = 0;
    /// All files, sorted: path, state, and content or names.
    virtual std::vector<std::string> files() = 0;
};

class real_side : public side {
 public:
    explicit real_side(std::string above) : above_{std::move(above)} {
        std::filesystem::create_directories(above_ + "/top");
        files_.fill(-1);
        files_[slots] = ::open((above_ + "/top").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    ~real_side() override {
        for (const int fd : files_) {
            if (fd >= 0) ::close(fd);
        }
        std::filesystem::remove_all(above_);
    }

    std::string take(const step& s) override {
        using call = step::call;
        const int from = files_[s.from];
        const int to = files_[s.to];
        int& file = files_[s.file];
        if (from < 0 || to < 0) return "EBADF";
        struct stat found{};
        std::array<char, 8192> buffer{};
        constexpr mode_t mode = 0644;
        constexpr mode_t mode_of_folders = 0755;
        switch (s.what) {
            case call::open: return opened(file, ::openat(from, s.path.c_str(), s.flags, mode));
            case call::open_beneath: {
                open_how how{};
                how.flags = static_cast<std::uint64_t>(s.flags & ~O_CREAT);
                how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
                return opened(file, static_cast<int>(::syscall(SYS_openat2, from, s.path.c_str(),
                                                               &how, sizeof how)));
            }
            case call::open_unnamed:
                return opened(file, ::openat(from, s.path.c_str(), O_TMPFILE | s.flags, mode));
            case call::close:
                if (file >= 0) ::close(file);
                file = -1;
                return "closed";
            case call::make_folder: return status(::mkdirat(from, s.path.c_str(), mode_of_folders));
            case call::make_link: return status(::symlinkat(s.other.c_str(), from, s.path.c_str()));
            case call::remove: return status(::unlinkat(from, s.path.c_str(), 0));
            case call::remove_folder: return status(::unlinkat(from, s.path.c_str(), AT_REMOVEDIR));
            case call::link: return status(::linkat(from, s.path.c_str(), to, s.other.c_str(), 0));
            case call::link_open: {
                const auto name = fmt::format("/proc/self/fd/{}", file);
                return status(
                    ::linkat(AT_FDCWD, name.c_str(), to, s.other.c_str(), AT_SYMLINK_FOLLOW));
            }
            case call::rename: return status(::renameat(from, s.path.c_str(), to, s.other.c_str()));
            case call::rename_if_free:
                return status(
                    ::renameat2(from, s.path.c_str(), to, s.other.c_str(), RENAME_NOREPLACE));
            case call::stat: {
                const int done = ::fstatat(from, s.path.c_str(), &found, s.flags);
                return done < 0 ? status(done) : show_stat(found);
            }
            case call::read: {
                const auto n = ::pread(file, buffer.data(), s.size, static_cast<off_t>(s.at));
                return n < 0 ? status(-1) : std::string(buffer.data(), static_cast<size_t>(n));
            }
            case call::write: {
                const std::string data(s.size, s.byte);
                return status(::pwrite(file, data.data(), data.size(), static_cast<off_t>(s.at)));
            }
            case call::resize: return status(::ftruncate(file, static_cast<off_t>(s.size)));
            case call::allocate:
                return status(::fallocate(file, s.flags, static_cast<off_t>(s.at),
                                          static_cast<off_t>(s.size)));
            case call::set_attribute:
                return status(::fsetxattr(file, s.path.c_str(), s.other.data(), s.other.size(), 0));
            case call::get_attribute: {
                const auto n = ::fgetxattr(file, s.path.c_str(), buffer.data(), s.size);
                return status(n);
            }
            case call::remove_attribute: return status(::fremovexattr(file, s.path.c_str()));
            case call::list: {
                ::lseek(file, 0, SEEK_SET);
                std::vector<std::string> names;
                for (;;) {
                    const auto n = ::syscall(SYS_getdents64, file, buffer.data(), s.size);
                    if (n < 0) return status(-1);
                    if (n == 0) break;
                    for (auto& name :
                         names_in(reinterpret_cast<const std::byte*>(buffer.data()), n))
                        names.push_back(std::move(name));
                }
                return show_names(names);
            }
            case call::lock: return status(::flock(file, s.flags | LOCK_NB));
            case call::count: break;
        }
        return {};
    }

    std::vector<std::string> files() override {
        std::vector<std::string> all;
        for (const auto& each : std::filesystem::recursive_directory_iterator{above_}) {
            struct stat found{};
            ::lstat(each.path().c_str(), &found);
            std::string line =
                fmt::format("{} {}", each.path().string().substr(above_.size()), show_stat(found));
            if (S_ISREG(found.st_mode)) {
                std::string content(static_cast<std::size_t>(found.st_size), '\0');
                const int fd = ::open(each.path().c_str(), O_RDONLY | O_CLOEXEC);
                EXPECT_EQ(::read(fd, content.data(), content.size()), found.st_size);
                ::close(fd);
                line += " " + content;
            }
            all.push_back(std::move(line));
        }
        std::ranges::sort(all);
        return all;
    }

 private:
    static std::string status(ssize_t n) {
        return n < 0 ? fmt::format("{}", ::strerrorname_np(errno)) : fmt::format("{}", n);
    }
    static std::string opened(int& file, int fd) {
        if (fd < 0) return status(fd);
        if (file >= 0) ::close(file);
        file = fd;
        return "opened";
    }

    std::string above_;
    std::array<int, slots + 1> files_{};
};

class simulated_side : public side {
 public:
    explicit simulated_side(const disk_options& o) : disk_{o, choices_, [] { return 0; }} {
        opened_inode top;
        EXPECT_EQ(disk_.make_folder(disk_.root(), "/top", 0755), 0);
        EXPECT_EQ(disk_.open(disk_.root(), "/top", O_RDONLY, 0, 0, top), 0);
        files_[slots] = {.handle = std::move(top), .flags = O_RDONLY, .id = next_id_++};
    }

    std::string take(const step& s) override {
        using call = step::call;
        open_file& file = files_[s.file];
        const auto& node = file.handle.node();
        const inode_ref& from = files_[s.from].handle.node();
        const inode_ref& to = files_[s.to].handle.node();
        if (!from || !to) return "EBADF";
        const bool writes = (file.flags & O_ACCMODE) != O_RDONLY;
        const bool reads = (file.flags & O_ACCMODE) != O_WRONLY;
        std::array<std::byte, 8192> buffer{};
        switch (s.what) {
            case call::open: return open(file, from, s.path, s.flags, 0);
            case call::open_beneath:
                return open(file, from, s.path, s.flags & ~O_CREAT,
                            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
            case call::open_unnamed: return open(file, from, s.path, O_TMPFILE | s.flags, 0);
            case call::close:
                if (node) node->locks.release(file.id);
                file = {};
                return "closed";
            case call::make_folder: return status(disk_.make_folder(from, s.path, 0755));
            case call::make_link: return status(disk_.make_link(from, s.path, s.other));
            case call::remove: return status(disk_.remove(from, s.path, 0));
            case call::remove_folder: return status(disk_.remove(from, s.path, AT_REMOVEDIR));
            case call::link: {
                inode_ref found;
                if (const int failed = disk_.find(from, s.path, AT_SYMLINK_NOFOLLOW, found);
                    failed < 0) {
                    return status(failed);
                }
                return status(disk_.link(found, to, s.other));
            }
            case call::link_open:
                if (!node) return "ENOENT";
                return status(disk_.link(node, to, s.other));
            case call::rename: return status(disk_.rename(from, s.path, to, s.other, 0));
            case call::rename_if_free:
                return status(disk_.rename(from, s.path, to, s.other, RENAME_NOREPLACE));
            case call::stat: {
                inode_ref found;
                struct stat into{};
                const int failed = disk_.find(from, s.path, s.flags, found);
                if (failed < 0) return status(failed);
                disk::stat(*found, into);
                return show_stat(into);
            }
            default: break;
        }
        if (!node) return "EBADF";
        switch (s.what) {
            case call::read: {
                if (!reads) return "EBADF";
                const auto n = disk_.read(*node, s.at, mutable_bytes{buffer}.first(s.size));
                if (n < 0) return status(n);
                return {reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(n)};
            }
            case call::write: {
                if (!writes) return "EBADF";
                const std::string data(s.size, s.byte);
                auto at = s.at;
                return status(disk_.write(*node, at, as_bytes(data), (file.flags & O_APPEND) != 0));
            }
            case call::resize: return writes ? status(disk_.resize(*node, s.size)) : "EINVAL";
            case call::allocate:
                if (s.size > 0 && !writes) return "EBADF";
                return status(disk_.allocate(*node, s.flags, s.at, s.size));
            case call::set_attribute:
                return status(disk_.set_attribute(*node, s.path, as_bytes(s.other)));
            case call::get_attribute:
                return status(
                    disk_.get_attribute(*node, s.path, mutable_bytes{buffer}.first(s.size)));
            case call::remove_attribute: return status(disk_.remove_attribute(*node, s.path));
            case call::list: {
                std::uint64_t position = 0;
                std::vector<std::string> names;
                for (;;) {
                    const auto n = disk::list(*node, position, mutable_bytes{buffer}.first(s.size));
                    if (n < 0) return status(n);
                    if (n == 0) break;
                    for (auto& name : names_in(buffer.data(), n)) names.push_back(std::move(name));
                }
                return show_names(names);
            }
            case call::lock: return status(node->locks.flock(file.id, s.flags | LOCK_NB));
            default: return {};
        }
    }

    std::vector<std::string> files() override {
        std::vector<std::string> all;
        add(*disk_.root(), "", all);
        std::ranges::sort(all);
        return all;
    }

 private:
    struct open_file {
        opened_inode handle;
        int flags = 0;
        std::uint64_t id = 0;
    };
    static std::string status(ssize_t n) {
        return n < 0 ? ::strerrorname_np(static_cast<int>(-n)) : fmt::format("{}", n);
    }
    std::string open(open_file& file, const inode_ref& from, const std::string& path, int flags,
                     std::uint64_t resolve) {
        opened_inode handle;
        const int failed = disk_.open(from, path, flags, 0644, resolve, handle);
        if (failed < 0) return status(failed);
        if (file.handle.node()) file.handle.node()->locks.release(file.id);
        file = {.handle = std::move(handle), .flags = flags, .id = next_id_++};
        return "opened";
    }
    void add(const inode& folder, const std::string& path, std::vector<std::string>& to) {
        for (const auto& [name, entry] : folder.entries) {
            struct stat found{};
            disk::stat(*entry.node, found);
            std::string line = fmt::format("{}/{} {}", path, name, show_stat(found));
            if (entry.node->is_file()) {
                std::string content(entry.node->data.size(), '\0');
                entry.node->data.read(0, std::as_writable_bytes(std::span{content}));
                line += " " + content;
            }
            to.push_back(std::move(line));
            if (entry.node->is_folder()) add(*entry.node, path + "/" + name, to);
        }
    }

    random choices_{1};
    disk disk_;
    std::uint64_t next_id_ = 1;
    std::array<open_file, slots + 1> files_;
};

/// Draws steps. Few names, so that they meet.
class script {
 public:
    explicit script(std::uint64_t seed) : choices_{seed} {}

    step next() {
        constexpr std::array ways{O_RDONLY, O_WRONLY, O_RDWR};
        constexpr std::array more{0, O_TRUNC, O_DIRECTORY, O_NOFOLLOW, O_APPEND};
        constexpr std::array creation{0, 0, O_CREAT, O_CREAT | O_EXCL};
        constexpr std::array attributes{"user.a", "user.b", "other.a"};
        constexpr std::array locks{LOCK_SH, LOCK_EX, LOCK_UN};
        constexpr std::array sizes{0, 1, 100, 511, 512, 4096, 5000, 8000};
        using call = step::call;
        step s;
        s.what = static_cast<call>(choices_.below(static_cast<std::uint64_t>(call::count)));
        s.from = folder();
        s.to = folder();
        s.file = choices_.below(slots);
        s.path = path(true);
        s.other = path(s.what != call::make_link);
        s.at = static_cast<std::uint64_t>(pick(sizes));
        s.size = static_cast<std::uint64_t>(pick(sizes));
        s.byte = static_cast<char>('a' + choices_.below(26));
        switch (s.what) {
            case call::open:
            case call::open_beneath: {
                const int created = pick(creation);
                s.flags = O_CLOEXEC | pick(ways) | pick(more) | created;
                // Newer kernels refuse these together (open(2), BUGS).
                if (created != 0) s.flags &= ~O_DIRECTORY;
                break;
            }
            case call::open_unnamed:
                s.flags = O_CLOEXEC | pick(ways) | (choices_.below(4) == 0 ? O_EXCL : 0);
                break;
            case call::stat: s.flags = choices_.below(2) == 0 ? 0 : AT_SYMLINK_NOFOLLOW; break;
            case call::allocate: s.flags = choices_.below(2) == 0 ? 0 : FALLOC_FL_KEEP_SIZE; break;
            case call::lock: s.flags = pick(locks); break;
            case call::list: s.size = choices_.below(2) == 0 ? 80 : 8000; break;
            case call::set_attribute:
            case call::get_attribute:
            case call::remove_attribute: s.path = pick(attributes); break;
            default: break;
        }
        return s;
    }

 private:
    template <class T, std::size_t N>
    T pick(const std::array<T, N>& from) {
        return from[choices_.below(N)];
    }
    std::size_t folder() {
        return choices_.below(3) == 0 ? static_cast<std::size_t>(choices_.below(slots)) : slots;
    }
    std::string path(bool may_climb) {
        constexpr std::array names{"a", "b", "c"};
        if (choices_.below(100) == 0) return "";
        if (choices_.below(100) == 0) return std::string(choices_.below(2) + 255, 'n');
        std::string made;
        const auto depth = 1 + choices_.below(3);
        bool climbs = may_climb && choices_.below(10) == 0;
        for (std::uint64_t i = 0; i < depth; ++i) {
            if (i > 0) made += '/';
            if (climbs && choices_.below(2) == 0) {
                made += "..";
                climbs = false;
            } else {
                made += choices_.below(20) == 0 ? "." : pick(names);
            }
        }
        if (choices_.below(15) == 0) made += '/';
        return made;
    }

    random choices_;
};

/// What the file system of the tests lacks, the simulated one lacks too.
disk_options options_of(const std::string& above) {
    std::filesystem::create_directories(above);
    disk_options o;
    const int folder = ::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int file = ::openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    o.unnamed_files = file >= 0;
    const int tried = file >= 0 ? file : folder;
    o.extended_attributes = ::fsetxattr(tried, "user.a", "", 0, 0) == 0;
    if (file >= 0) ::close(file);
    ::close(folder);
    return o;
}

TEST(DiskDifferential, RandomCallsHaveTheSameResultsAsOnARealFileSystem) {
    constexpr std::uint64_t sequences = 2000;
    constexpr int calls = 40;
    const auto above = fmt::format("{}/disk-differential-{}", ::testing::TempDir(), ::getpid());
    const auto o = options_of(above);
    const mode_t before = ::umask(022);
    std::map<std::string, int> results;
    int different = 0;
    for (std::uint64_t seed = 0; seed < sequences && different < 10; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        real_side real{above + "/files"};
        simulated_side simulated{o};
        script calls_of{seed};
        bool same = true;
        for (int i = 0; i < calls && same; ++i) {
            const step s = calls_of.next();
            const auto expected = real.take(s);
            const auto found = simulated.take(s);
            ++results[expected];
            same = found == expected;
            different += same ? 0 : 1;
            EXPECT_EQ(found, expected) << fmt::format(
                "call {}: kind {} in {} and {}, file {}, '{}' '{}' flags {:#x} at {} size {}", i,
                static_cast<int>(s.what), s.from, s.to, s.file, s.path, s.other, s.flags, s.at,
                s.size);
        }
        if (!same) continue;
        EXPECT_EQ(simulated.files(), real.files());
    }
    // The names are few enough to meet.
    if (::testing::Test::HasFailure()) return;
    for (const auto* one : {"EEXIST", "ENOTEMPTY", "EISDIR", "ENOTDIR", "EXDEV", "ELOOP", "0"}) {
        EXPECT_GT(results[one], 0) << one;
    }
    ::umask(before);
    std::filesystem::remove_all(above);
}

}  // namespace
}  // namespace sluice::sim
