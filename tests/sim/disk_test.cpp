// The simulated disk: what a power loss leaves, space, mounts, times, locks and faults.
#include "sluice/sim/disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <linux/fs.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::sim {
namespace {

constexpr std::uint64_t seeds = 300;
constexpr std::size_t block = content::block_size;

/// A disk, and the calls of a program on it.
struct machine {
    explicit machine(std::uint64_t seed, const disk_options& o = {}) : choices{seed} {
        now = std::make_unique<disk>(o, choices, [this] { return clock; });
    }

    opened_inode open(std::string_view path, int flags = O_RDWR | O_CREAT) {
        opened_inode file;
        EXPECT_EQ(now->open(now->root(), path, flags, 0644, 0, file), 0) << path;
        return file;
    }
    ssize_t write(const opened_inode& to, std::string_view text, std::uint64_t at = 0) {
        return now->write(*to.node(), at, as_bytes(text));
    }
    int sync(std::string_view path) {
        const auto held = open(path, O_RDONLY);
        auto seen = held.node()->told_syncs;
        return now->sync(*held.node(), seen);
    }
    /// A file with a content, of which nothing is synced.
    opened_inode make(std::string_view path, std::string_view text) {
        auto file = open(path);
        EXPECT_EQ(write(file, text), static_cast<ssize_t>(text.size()));
        return file;
    }
    void make_durable(std::string_view path, std::string_view text) {
        const auto held = make(path, text);
        EXPECT_EQ(sync(path), 0);
        EXPECT_EQ(sync("/"), 0);
    }
    int rename(std::string_view from, std::string_view to) {
        return now->rename(now->root(), from, now->root(), to, 0);
    }
    int remove(std::string_view path) { return now->remove(now->root(), path, 0); }
    [[nodiscard]] bool has(std::string_view path) const {
        inode_ref found;
        return now->find(now->root(), path, 0, found) == 0;
    }
    std::string read(std::string_view path) {
        inode_ref found;
        if (now->find(now->root(), path, 0, found) < 0) return "none";
        std::string text(found->data.size(), '\0');
        found->data.read(0, std::as_writable_bytes(std::span{text}));
        return text;
    }
    void lose_power() {
        before.push_back(std::exchange(now, now->crash()));
        for (const double rate : {now->faults().failed_sync, now->faults().failed_read}) {
            EXPECT_EQ(rate, 0);
        }
    }
    [[nodiscard]] std::uint64_t used() const { return now->root()->mount->used; }

    random choices;
    std::int64_t clock = 1'700'000'000'000'000'000;
    std::vector<std::unique_ptr<disk>> before;
    std::unique_ptr<disk> now;
};

std::string blocks_of(char c, std::size_t count) {
    return std::string(count * block, c);
}

/// The outcomes over all seeds.
std::set<std::string> outcomes(const std::function<std::string(machine&)>& of) {
    std::set<std::string> found;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        machine m{seed};
        found.insert(of(m));
    }
    return found;
}

TEST(DiskCrash, AFileThatWasSyncedWithItsFolderIsThere) {
    const auto text = blocks_of('a', 40) + "end";
    const auto found = outcomes([&](machine& m) {
        m.make_durable("/f", text);
        const auto other = m.make("/g", "not synced");
        m.lose_power();
        return m.read("/f");
    });
    EXPECT_EQ(found, std::set<std::string>{text});
}

TEST(DiskCrash, AFileWithoutAnySyncIsThereWhollyInPartOrNot) {
    const auto found = outcomes([](machine& m) {
        const auto held = m.make("/f", blocks_of('a', 2));
        m.lose_power();
        return m.read("/f");
    });
    const auto zeros = std::string(block, '\0');
    EXPECT_TRUE(found.contains("none"));
    EXPECT_TRUE(found.contains(""));
    EXPECT_TRUE(found.contains(blocks_of('a', 2)));
    EXPECT_TRUE(found.contains(zeros + zeros)) << "the name and the size before the data";
    EXPECT_TRUE(found.contains(blocks_of('a', 1) + zeros)) << "torn";
    EXPECT_GT(found.size(), 5U) << "some sizes between";
}

TEST(DiskCrash, ABlockIsOfBeforeOrOfAfter) {
    bool mixed = false;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        machine m{seed};
        m.make_durable("/f", blocks_of('a', 32));
        const auto held = m.make("/f", blocks_of('b', 32));
        m.lose_power();
        const auto left = m.read("/f");
        ASSERT_EQ(left.size(), 32 * block);
        std::set<std::string> kinds;
        for (std::size_t i = 0; i < 32; ++i) kinds.insert(left.substr(i * block, block));
        for (const auto& kind : kinds) {
            EXPECT_TRUE(kind == blocks_of('a', 1) || kind == blocks_of('b', 1));
        }
        mixed |= kinds.size() == 2;
    }
    EXPECT_TRUE(mixed);
}

TEST(DiskCrash, ASyncOfTheFolderKeepsNamesAndOfTheFileKeepsContents) {
    const auto names = outcomes([](machine& m) {
        const auto held = m.make("/f", "text");
        EXPECT_EQ(m.sync("/"), 0);
        m.lose_power();
        return m.read("/f");
    });
    EXPECT_FALSE(names.contains("none"));
    EXPECT_TRUE(names.contains(""));
    const auto contents = outcomes([](machine& m) {
        const auto held = m.make("/f", "text");
        EXPECT_EQ(m.sync("/f"), 0);
        m.lose_power();
        return m.read("/f");
    });
    EXPECT_EQ(contents, (std::set<std::string>{"none", "text"}));
}

TEST(DiskCrash, ARenameIsThereOrNot) {
    const auto found = outcomes([](machine& m) {
        m.make_durable("/f", "old");
        m.make_durable("/hidden", "new");
        EXPECT_EQ(m.rename("/hidden", "/f"), 0);
        m.lose_power();
        return m.read("/f") + " " + m.read("/hidden");
    });
    EXPECT_EQ(found, (std::set<std::string>{"old new", "new none"}));
}

TEST(DiskCrash, ARenameIsDurableOnceOneOfItsFoldersIsSynced) {
    for (const auto* synced : {"/from", "/to"}) {
        const auto found = outcomes([&](machine& m) {
            EXPECT_EQ(m.now->make_folder(m.now->root(), "/from", 0755), 0);
            EXPECT_EQ(m.now->make_folder(m.now->root(), "/to", 0755), 0);
            EXPECT_EQ(m.sync("/"), 0);
            const auto held = m.make("/from/f", "text");
            EXPECT_EQ(m.sync("/from/f"), 0);
            EXPECT_EQ(m.rename("/from/f", "/to/f"), 0);
            EXPECT_EQ(m.sync(synced), 0);
            m.lose_power();
            return m.read("/from/f") + " " + m.read("/to/f");
        });
        EXPECT_EQ(found, std::set<std::string>{"none text"}) << synced;
    }
}

TEST(DiskCrash, ANewNameIsThereBeforeTheOldOneIsGone) {
    const auto found = outcomes([](machine& m) {
        m.make_durable("/f", "text");
        inode_ref node;
        EXPECT_EQ(m.now->find(m.now->root(), "/f", 0, node), 0);
        EXPECT_EQ(m.now->link(node, m.now->root(), "/g"), 0);
        EXPECT_EQ(m.remove("/f"), 0);
        m.lose_power();
        return m.read("/f") + " " + m.read("/g");
    });
    EXPECT_EQ(found, (std::set<std::string>{"text none", "text text", "none text"}));
}

TEST(DiskCrash, ARemovedFileMayComeBackUntilItsFolderIsSynced) {
    const auto before = outcomes([](machine& m) {
        m.make_durable("/f", "text");
        EXPECT_EQ(m.remove("/f"), 0);
        m.lose_power();
        return m.read("/f");
    });
    EXPECT_EQ(before, (std::set<std::string>{"none", "text"}));
    const auto after = outcomes([](machine& m) {
        m.make_durable("/f", "text");
        EXPECT_EQ(m.remove("/f"), 0);
        EXPECT_EQ(m.sync("/"), 0);
        m.lose_power();
        return m.read("/f");
    });
    EXPECT_EQ(after, std::set<std::string>{"none"});
}

/// The files below a folder, and how often each is there.
void count_files(const inode& folder, std::map<std::string, int>& to) {
    for (const auto& [name, entry] : folder.entries) {
        if (entry.node->is_folder()) {
            count_files(*entry.node, to);
        } else {
            std::string text(entry.node->data.size(), '\0');
            entry.node->data.read(0, std::as_writable_bytes(std::span{text}));
            ++to[text];
        }
    }
}

TEST(DiskCrash, NoFileIsLostOrThereTwiceHoweverFoldersAreMoved) {
    constexpr int files = 6;
    constexpr int moves = 40;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        machine m{seed};
        const auto draw = [&m] {
            std::string path;
            for (auto depth = m.choices.below(3) + 1; depth > 0; --depth) {
                path += fmt::format("/{}", m.choices.below(4));
            }
            return path;
        };
        for (int i = 0; i < files; ++i) m.make_durable(fmt::format("/f{}", i), std::to_string(i));
        for (int i = 0; i < moves; ++i) {
            const auto path = draw();
            switch (m.choices.below(5)) {
                case 0: static_cast<void>(m.now->make_folder(m.now->root(), path, 0755)); break;
                case 1: static_cast<void>(m.now->remove(m.now->root(), path, AT_REMOVEDIR)); break;
                case 2:
                    static_cast<void>(m.now->rename(m.now->root(),
                                                    fmt::format("/f{}", m.choices.below(files)),
                                                    m.now->root(), path, RENAME_NOREPLACE));
                    break;
                default:
                    static_cast<void>(m.now->rename(m.now->root(), path, m.now->root(), draw(),
                                                    RENAME_NOREPLACE));
                    break;
            }
            if (m.choices.below(10) == 0 && m.has("/1")) static_cast<void>(m.sync("/1"));
        }
        m.lose_power();
        std::map<std::string, int> left;
        count_files(*m.now->root(), left);
        EXPECT_EQ(left.size(), static_cast<std::size_t>(files));
        for (const auto& [text, count] : left) EXPECT_EQ(count, 1) << text;
    }
}

TEST(DiskCrash, AFileWithoutANameIsGoneWithItsSpace) {
    machine m{1};
    auto file = m.open("/", O_TMPFILE | O_RDWR);
    EXPECT_EQ(m.write(file, "text"), 4);
    EXPECT_EQ(m.used(), 1U);
    m.lose_power();
    EXPECT_EQ(m.used(), 0U);
    EXPECT_TRUE(m.now->root()->entries.empty());
}

TEST(DiskCrash, IsTheSameForTheSameSeed) {
    const auto run = [](std::uint64_t seed) {
        machine m{seed};
        m.now->faults() = disk_faults::draw(m.choices);
        for (int i = 0; i < 30; ++i) {
            const auto path = fmt::format("/{}", m.choices.below(5));
            opened_inode file;
            if (m.now->open(m.now->root(), path, O_RDWR | O_CREAT, 0644, 0, file) < 0) continue;
            static_cast<void>(m.write(file, blocks_of('a', 1 + m.choices.below(9))));
            auto seen = file.node()->told_syncs;
            if (m.choices.below(4) == 0) static_cast<void>(m.now->sync(*file.node(), seen));
        }
        m.now->faults() = {};
        m.lose_power();
        std::string left;
        for (int i = 0; i < 5; ++i) left += m.read(fmt::format("/{}", i)) + "|";
        return left;
    };
    for (std::uint64_t seed = 0; seed < 50; ++seed) EXPECT_EQ(run(seed), run(seed)) << seed;
}

TEST(DiskFaults, WhatAFailedSyncLostALaterOneDoesNotWrite) {
    const auto found = outcomes([](machine& m) {
        const auto held = m.make("/f", "text");
        EXPECT_EQ(m.sync("/"), 0);
        m.now->faults().failed_sync = 1;
        EXPECT_EQ(m.sync("/f"), -EIO);
        m.now->faults().failed_sync = 0;
        EXPECT_EQ(m.sync("/f"), 0) << "as if all were well";
        EXPECT_EQ(m.read("/f"), "text") << "out of the page cache";
        m.lose_power();
        return m.read("/f");
    });
    EXPECT_EQ(found, (std::set<std::string>{"text", std::string(4, '\0')}));
}

TEST(DiskFaults, EachDescriptionIsToldOfAFailedSyncOnce) {
    machine m{1};
    const auto file = m.make("/f", "text");
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    m.now->faults().failed_sync = 1;
    EXPECT_EQ(m.now->sync(*file.node(), first), -EIO);
    m.now->faults().failed_sync = 0;
    EXPECT_EQ(m.now->sync(*file.node(), first), 0);
    EXPECT_EQ(m.now->sync(*file.node(), second), -EIO);
    EXPECT_EQ(m.now->sync(*file.node(), second), 0);
}

TEST(DiskFaults, CallsFailOrDoAPart) {
    machine m{1};
    const auto file = m.make("/f", "0123456789");
    std::array<std::byte, 10> memory{};
    auto& faults = m.now->faults();
    faults.short_write = faults.short_read = 1;
    EXPECT_LT(m.write(file, "0123456789"), 10);
    EXPECT_LT(m.now->read(*file.node(), 0, memory), 10);
    faults = {.no_space = 1};
    EXPECT_EQ(m.write(file, "0"), -ENOSPC);
    EXPECT_EQ(m.now->make_folder(m.now->root(), "/d", 0755), -ENOSPC);
    faults = {.over_quota = 1};
    EXPECT_EQ(m.now->allocate(*file.node(), 0, 0, 1), -EDQUOT);
    faults = {.failed_read = 1, .failed_write = 1};
    EXPECT_EQ(m.write(file, "0"), -EIO);
    EXPECT_EQ(m.now->read(*file.node(), 0, memory), -EIO);
    faults = {.slow_sync = 1};
    std::int64_t longest = 0;
    for (int i = 0; i < 50; ++i) longest = std::max(longest, m.now->sync_time());
    EXPECT_GT(longest, 500'000'000);
    EXPECT_LE(longest, 1'000'000'000);
    faults = {.foreign_change = 1};
    const auto before = m.read("/f");
    m.now->maybe_change(*file.node());
    EXPECT_NE(m.read("/f"), before);
    faults = {.false_free_space = 1};
    std::set<std::uint64_t> reported;
    for (int i = 0; i < 10; ++i) {
        struct statvfs into{};
        EXPECT_EQ(m.now->stat_file_system(*file.node(), into), 0);
        reported.insert(into.f_bfree);
    }
    EXPECT_GT(reported.size(), 5U);
}

TEST(DiskSpace, IsTakenByPagesAndGivenBack) {
    constexpr std::uint64_t page = content::page_size;
    machine m{1, {.size = 4 * page}};
    auto file = m.make("/f", std::string(3 * page, 'a'));
    EXPECT_EQ(m.used(), 3U);
    EXPECT_EQ(m.write(file, std::string(2 * page, 'b'), 3 * page), ssize_t{page}) << "what fits";
    EXPECT_EQ(m.write(file, "c", 4 * page), -ENOSPC);
    EXPECT_EQ(m.write(file, "c", 2 * page), 1) << "in a page that it has";
    struct statvfs into{};
    EXPECT_EQ(m.now->stat_file_system(*file.node(), into), 0);
    EXPECT_EQ(into.f_bavail, 0U);
    EXPECT_EQ(into.f_blocks, 4U);
    EXPECT_EQ(m.now->resize(*file.node(), page), 0);
    EXPECT_EQ(m.used(), 1U);
    EXPECT_EQ(m.now->allocate(*file.node(), FALLOC_FL_KEEP_SIZE, 0, 3 * page), 0);
    EXPECT_EQ(file.node()->data.size(), page);
    EXPECT_EQ(m.used(), 3U);
    EXPECT_EQ(m.now->resize(*file.node(), page), 0) << "frees what was reserved";
    EXPECT_EQ(m.used(), 1U);
    EXPECT_EQ(m.now->allocate(*file.node(), 0, 0, 5 * page), -ENOSPC);
    EXPECT_EQ(m.remove("/f"), 0);
    EXPECT_EQ(m.used(), 1U) << "it is open";
    file = {};
    EXPECT_EQ(m.used(), 0U);
}

TEST(DiskSpace, EndsAtTheQuota) {
    constexpr std::uint64_t page = content::page_size;
    machine m{1, {.size = 100 * page, .quota = 2 * page}};
    const auto file = m.make("/f", "text");
    EXPECT_EQ(m.write(file, std::string(4 * page, 'a')), ssize_t{2 * page});
    EXPECT_EQ(m.write(file, "b", 2 * page), -EDQUOT);
}

TEST(DiskMounts, AreFileSystemsOfTheirOwn) {
    constexpr std::uint64_t page = content::page_size;
    machine m{1};
    ASSERT_EQ(m.now->make_folder(m.now->root(), "/other", 0755), 0);
    ASSERT_EQ(m.now->add_mount("/other", 2 * page), 0);
    const auto file = m.make("/f", "text");
    const auto there = m.make("/other/f", "text");
    EXPECT_NE(file.node()->mount->id, there.node()->mount->id);
    EXPECT_EQ(there.node()->mount->used, 1U);
    EXPECT_EQ(m.rename("/f", "/other/g"), -EXDEV);
    EXPECT_EQ(m.now->link(file.node(), m.now->root(), "/other/g"), -EXDEV);
    EXPECT_EQ(m.now->remove(m.now->root(), "/other", AT_REMOVEDIR), -EBUSY);
    EXPECT_EQ(m.rename("/other", "/moved"), -EBUSY);
    m.lose_power();
    const auto mounts = m.now->mounts();
    ASSERT_EQ(mounts.size(), 2U);
    EXPECT_EQ(mounts[0].second, "/");
    EXPECT_EQ(mounts[1].second, "/other");
}

TEST(DiskTimes, AreThoseOfTheWallClockInTicks) {
    machine m{1};
    const auto file = m.make("/f", "text");
    struct stat before{};
    struct stat after{};
    disk::stat(*file.node(), before);
    EXPECT_EQ(before.st_mtim.tv_sec, 1'700'000'000);
    m.clock += 1'000'000;
    EXPECT_EQ(m.write(file, "more"), 4);
    disk::stat(*file.node(), after);
    EXPECT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec) << "within one tick";
    m.clock += 4'000'000;
    EXPECT_EQ(m.now->resize(*file.node(), 4), 0);
    disk::stat(*file.node(), after);
    EXPECT_GT(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec) << "although the size stays";
    const std::array<timespec, 2> times{timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                                        timespec{.tv_sec = 7, .tv_nsec = 8}};
    EXPECT_EQ(m.now->set_times(*file.node(), times), 0);
    disk::stat(*file.node(), after);
    EXPECT_EQ(after.st_mtim.tv_sec, 7);
    EXPECT_EQ(after.st_mtim.tv_nsec, 8);
    EXPECT_EQ(after.st_atim.tv_sec, before.st_atim.tv_sec);
}

TEST(FileLocks, OfDescriptionsAreForRangesAndOwners) {
    file_locks locks;
    const auto set = [&](std::uint64_t owner, short type, off_t at, off_t size) {
        struct flock wanted{};
        wanted.l_type = type;
        wanted.l_start = at;
        wanted.l_len = size;
        return locks.of_description(owner, F_OFD_SETLK, wanted);
    };
    EXPECT_EQ(set(1, F_WRLCK, 0, 10), 0);
    EXPECT_EQ(set(2, F_RDLCK, 9, 1), -EAGAIN);
    EXPECT_EQ(set(2, F_RDLCK, 10, 0), 0) << "to the end";
    EXPECT_EQ(set(3, F_RDLCK, 100, 1), 0);
    EXPECT_EQ(set(1, F_WRLCK, 100, 1), -EAGAIN);
    EXPECT_EQ(set(1, F_UNLCK, 4, 2), 0) << "in the middle";
    EXPECT_EQ(set(2, F_WRLCK, 4, 2), 0);
    EXPECT_EQ(set(2, F_WRLCK, 3, 1), -EAGAIN);
    struct flock found{};
    found.l_type = F_WRLCK;
    EXPECT_EQ(locks.of_description(2, F_OFD_GETLK, found), 0);
    EXPECT_EQ(found.l_type, F_WRLCK);
    EXPECT_EQ(found.l_pid, -1);
    locks.release(1);
    EXPECT_EQ(set(2, F_WRLCK, 3, 1), 0);
}

}  // namespace
}  // namespace sluice::sim
