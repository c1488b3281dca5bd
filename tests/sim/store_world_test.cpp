// A world with a store of files on the simulated disk: whatever call the power fails in, each
// upload that was acknowledged is whole after the restart, and no other file is there.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sluice/files/server/store.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/sim/world.hpp"

namespace sluice::sim {
namespace {

using files::pending_file;
using files::store;

constexpr const char* above = "/srv";
constexpr const char* directory = "/srv/store";

/// One machine with a store, through several power losses.
class store_world {
 public:
    store_world(std::uint64_t seed, bool with_faults)
        : choices_{seed},
          world_{{.seed = choices_.bits(), .faults = fault_rates{}}},
          with_faults_{with_faults} {
        auto& disk = world_.kernel().disk();
        disk_options o;
        o.unnamed_files = choices_.below(3) > 0;
        o.links_by_descriptor = choices_.below(2) == 0;
        o.renames_without_replacing = choices_.below(3) > 0;
        o.hard_links = choices_.below(3) > 0;
        disk.set_options(o);
        static_cast<void>(disk.make_folder(disk.root(), above, 0755));
        static_cast<void>(disk.sync_all(*disk.root()));
        for (const auto* path : {"a", "b", "d/a", "d/e/a"}) may_be_[path].insert(std::nullopt);
    }

    /// What is wrong; empty if nothing is.
    std::string run() {
        constexpr int power_losses = 3;
        for (int i = 0; i < power_losses && wrong_.empty(); ++i) {
            lose_power_in([this] { serve(); });
            check_all();
        }
        return wrong_;
    }

 private:
    using content = std::optional<std::string>;

    /// Runs `program` until the power fails in some call of it, or it ends.
    void lose_power_in(std::function<void()> program) {
        constexpr std::uint64_t most_calls = 400;
        auto left = 1 + choices_.below(most_calls);
        auto& kernel = world_.kernel();
        if (with_faults_) kernel.disk().faults() = disk_faults::draw(choices_);
        auto& server = world_.start_process("server", std::move(program));
        kernel.before_call([&left, &server] {
            if (left > 0 && --left == 0) server.crash();
        });
        world_.run();
        kernel.before_call({});
        kernel.disk().faults() = {};
        kernel.power_loss();
        ++powered_;
    }

    void serve() {
        constexpr int requests = 12;
        auto files = store::open(directory, {});
        if (!files) return;
        for (int i = 0; i < requests && wrong_.empty(); ++i) {
            const std::string path = pick_path();
            switch (choices_.below(8)) {
                case 0: remove(*files, path); break;
                case 1: check(*files, path); break;
                default: put(*files, path); break;
            }
        }
    }

    std::string pick_path() {
        auto at = may_be_.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(choices_.below(may_be_.size())));
        return at->first;
    }

    /// The same for the same number, and no two blocks alike.
    static std::string text_of(std::uint64_t number, std::size_t size) {
        std::string text;
        while (text.size() < size) text += fmt::format("{}:{};", number, text.size());
        text.resize(size);
        return text;
    }

    void put(store& files, const std::string& path) {
        if (choices_.below(3) == 0) return put_in_parts(files, path);
        const bool large = choices_.below(10) == 0;
        const auto size = static_cast<std::size_t>(choices_.below(large ? 400'000 : 10'000));
        const auto text = text_of(choices_.bits(), size);
        auto file = files.receive(path);
        if (!file) return;
        if (!fill(*file, text, 0, size)) {
            file->forget();
            return;
        }
        if (choices_.below(6) == 0) return;
        may_be_[path].insert(text);
        if (file->commit(path)) may_be_[path] = {text};
    }

    /// One of a few uploads, which is resumed where it broke off, before or after a power loss.
    void put_in_parts(store& files, const std::string& path) {
        const auto size = static_cast<std::size_t>(7'777 * (1 + choices_.below(3)));
        const auto text = text_of(size, size);
        auto file = files.resume(path, fmt::format("{:x}", size), size);
        if (!file) return;
        struct stat held{};
        if (os::sys().fstat(file->fd(), held) < 0) return;
        const auto from = static_cast<std::size_t>(held.st_size);
        const auto end = choices_.below(3) == 0 ? from + choices_.below(size - from + 1) : size;
        if (!fill(*file, text, from, end)) {
            file->forget();
            return;
        }
        if (end < size) {
            if (choices_.below(2) == 0) static_cast<void>(file->secure());
            return;
        }
        may_be_[path].insert(text);
        if (file->commit(path)) may_be_[path] = {text};
    }

    /// Writes the bytes of `text` from `from` to `end`, the size of the whole file in some cases.
    bool fill(pending_file& file, const std::string& text, std::size_t from, std::size_t end) {
        constexpr std::size_t step = 100'000;
        auto room = file.space_from(from, text.size());
        for (std::size_t done = from; done < end;) {
            const auto piece = std::string_view{text}.substr(done, std::min(step, end - done));
            if (!room.cover(done + piece.size(), true)) return false;
            const auto n = os::sys().pwrite(file.fd(), as_bytes(piece), done);
            if (n < 0) return false;
            done += static_cast<std::size_t>(n);
            if (choices_.below(5) == 0 && !file.write_out()) return false;
        }
        return end < text.size() || room.finish(end).has_value();
    }

    void remove(store& files, const std::string& path) {
        may_be_[path].insert(std::nullopt);
        if (files.remove(path)) may_be_[path] = {std::nullopt};
    }

    /// Reads a file as GET does; no value for an error that tells nothing.
    static std::optional<content> read(const store& files, const std::string& path) {
        const auto found = files.read(path);
        if (!found && (found.error().is(ENOENT) || found.error().is(ENOTDIR))) return content{};
        if (!found) return std::nullopt;
        std::string text(static_cast<std::size_t>(found->now.st_size), '\0');
        for (std::size_t done = 0; done < text.size();) {
            const auto n = os::sys().pread(
                found->file.get(), std::as_writable_bytes(std::span{text}.subspan(done)), done);
            if (n <= 0) return std::nullopt;
            done += static_cast<std::size_t>(n);
        }
        return content{std::move(text)};
    }

    void check(const store& files, const std::string& path) {
        const auto found = read(files, path);
        if (!found) return;
        const auto& allowed = may_be_[path];
        if (allowed.contains(*found)) return;
        wrong_ +=
            fmt::format("{}: {} after {} power losses, of {} states that it may have\n", path,
                        *found ? describe(**found, allowed) : "lost", powered_, allowed.size());
    }

    static std::string describe(const std::string& text, const std::set<content>& allowed) {
        for (const auto& one : allowed) {
            if (!one || one->size() != text.size()) continue;
            const auto at = std::ranges::mismatch(*one, text).in1 - one->begin();
            return fmt::format("{} bytes, changed from byte {}", text.size(), at);
        }
        return fmt::format("{} bytes, which nobody sent", text.size());
    }

    /// After a restart without faults: all files, no left-overs, and a store that works.
    void check_all() {
        world_.start_process("server after the power loss", [this] {
            auto files = store::open(directory, {});
            if (!files) {
                wrong_ += fmt::format("the store does not open: {}\n", files.error().message());
                return;
            }
            for (auto& [path, allowed] : may_be_) {
                check(*files, path);
                const auto found = read(*files, path);
                if (found) allowed = {*found};
            }
            check_left_overs();
            auto file = files->receive("a");
            const auto text = text_of(choices_.bits(), 1000);
            if (!file || !fill(*file, text, 0, text.size()) || !file->commit("a")) {
                wrong_ += "the store takes no file\n";
                return;
            }
            may_be_["a"] = {text};
            check(*files, "a");
        });
        world_.run();
    }

    void check_left_overs() {
        inode_ref top;
        const auto& disk = world_.kernel().disk();
        if (disk.find(disk.root(), directory, 0, top) < 0) return;
        for (const auto& [name, entry] : top->entries) {
            if (name.starts_with('.') && !name.starts_with(".sluice-part-")) {
                wrong_ += fmt::format("{} is left\n", name);
            }
        }
    }

    random choices_;
    world world_;
    bool with_faults_;
    std::map<std::string, std::set<content>> may_be_;  // what each path may hold
    std::uint64_t powered_ = 0;                        // power losses
    std::string wrong_;
};

/// Runs a seed in a process of its own: what the crashed fibers held is never freed.
std::string outcome_of(std::uint64_t seed, bool with_faults) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) < 0) return "no pipe";
    const pid_t child = ::fork();
    if (child == 0) {
        store_world world{seed, with_faults};
        const auto wrong = world.run();
        const auto n = ::write(ends[1], wrong.data(), wrong.size());
        ::_exit(n == static_cast<ssize_t>(wrong.size()) ? 0 : 1);
    }
    ::close(ends[1]);
    std::string wrong;
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
        wrong.append(buffer.data(), static_cast<std::size_t>(n));
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) wrong += fmt::format("the world ended with status {:#x}", status);
    return wrong;
}

void expect_whole_files(bool with_faults) {
    constexpr std::uint64_t seeds = 150;
    int failed = 0;
    for (std::uint64_t seed = 0; seed < seeds && failed < 10; ++seed) {
        const auto wrong = outcome_of(seed, with_faults);
        EXPECT_EQ(wrong, "") << "seed " << seed;
        failed += wrong.empty() ? 0 : 1;
    }
}

TEST(StoreWorld, AcknowledgedFilesAreWholeAfterAPowerLossInAnyCall) {
    expect_whole_files(false);
}

TEST(StoreWorld, AcknowledgedFilesAreWholeWhenTheDiskFailsToo) {
    expect_whole_files(true);
}

TEST(StoreWorld, AStoreThatOpensHasCountedAllOfItsQuota) {
    constexpr std::uint64_t seeds = 30;
    constexpr std::size_t size = 1000;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        world w{{.seed = seed, .faults = fault_rates{}}};
        auto& kernel = w.kernel();
        EXPECT_EQ(kernel.disk().make_folder(kernel.disk().root(), above, 0755), 0);
        std::uint64_t counted = 0;
        w.start_process("server", [&] {
            const std::string text(size, 'x');
            auto before = store::open(directory, {});
            auto file = before->receive("d/a");
            EXPECT_EQ(os::sys().pwrite(file->fd(), as_bytes(text), 0), ssize_t{size});
            EXPECT_TRUE(file->commit("d/a"));
            kernel.faults().no_descriptor = 0.2;
            for (;;) {
                const auto opened = store::open(directory, {.quota = 10 * size});
                if (!opened) continue;
                counted = opened->used().taken();
                return;
            }
        });
        w.run();
        EXPECT_EQ(counted, size);
    }
}

/// Another process has made it and was killed, or another thread has not come to its sync yet.
TEST(StoreWorld, ADirectoryThatIsThereIsOnTheDiskWhenTheFirstFileInItIsAcknowledged) {
    constexpr std::uint64_t seeds = 20;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        world w{{.seed = seed, .faults = fault_rates{}}};
        auto& kernel = w.kernel();
        const auto make = [&](const char* folder) {
            EXPECT_EQ(kernel.disk().make_folder(kernel.disk().root(), folder, 0755), 0);
        };
        make(above);
        make(directory);
        EXPECT_EQ(kernel.disk().sync_all(*kernel.disk().root()), 0);
        make("/srv/store/d");
        make("/srv/store/d/e");
        bool kept = false;
        w.start_process("server", [&kept] {
            auto files = store::open(directory, {});
            auto file = files->receive("d/e/a");
            kept = file && file->commit("d/e/a");
        });
        w.run();
        EXPECT_TRUE(kept);
        kernel.power_loss();
        inode_ref found;
        EXPECT_EQ(kernel.disk().find(kernel.disk().root(), "/srv/store/d/e/a", 0, found), 0);
    }
}

/// File systems give the number of a directory that is gone to the next one.
TEST(StoreWorld, ADirectoryThatIsMadeAnewIsOnTheDiskWhenTheFirstFileInItIsAcknowledged) {
    constexpr std::uint64_t seeds = 20;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        world w{{.seed = seed, .faults = fault_rates{}}};
        auto& kernel = w.kernel();
        for (const char* folder : {above, directory}) {
            EXPECT_EQ(kernel.disk().make_folder(kernel.disk().root(), folder, 0755), 0);
        }
        EXPECT_EQ(kernel.disk().sync_all(*kernel.disk().root()), 0);
        bool kept = false;
        bool has_same_number = false;
        w.start_process("server", [&] {
            auto files = store::open(directory, {});
            const auto keep = [&](const char* path) {
                auto file = files->receive(path);
                return file && file->commit(path);
            };
            os::kernel& sys = os::sys();
            kept = keep("d/a");
            struct stat before{};
            struct stat after{};
            EXPECT_EQ(sys.fstatat(AT_FDCWD, "/srv/store/d", before, 0), 0);
            EXPECT_EQ(sys.unlinkat(AT_FDCWD, "/srv/store/d/a", 0), 0);
            EXPECT_EQ(sys.unlinkat(AT_FDCWD, "/srv/store/d", AT_REMOVEDIR), 0);
            kept = keep("d/b") && kept;
            EXPECT_EQ(sys.fstatat(AT_FDCWD, "/srv/store/d", after, 0), 0);
            has_same_number = before.st_ino == after.st_ino;
        });
        w.run();
        EXPECT_TRUE(kept);
        EXPECT_TRUE(has_same_number);
        kernel.power_loss();
        inode_ref found;
        EXPECT_EQ(kernel.disk().find(kernel.disk().root(), "/srv/store/d/b", 0, found), 0);
    }
}

}  // namespace
}  // namespace sluice::sim
