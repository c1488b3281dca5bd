// The store: whole files under names that are names, and nothing else.
#include "sluice/files/server/store.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <list>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/files/digest.hpp"
#include "sluice/files/digest_pool.hpp"
#include "sluice/files/server/folder.hpp"
#include "sluice/files/server/listing_cache.hpp"
#include "sluice/files/server/shared_digests.hpp"
#include "tests/support/files.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using files::commit_rule;
using files::digest_follower;
using files::digest_of;
using files::digest_pool;
using files::digest_request;
using files::file_state;
using files::kept_digest;
using files::listing_cache;
using files::parts;
using files::read_folder;
using files::remembered_digest;
using files::shared_digests;
using files::store;
using files::why_no_file_name;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class store_test : public ::testing::Test {
 protected:
    store_test() {
        std::string pattern = testing::TempDir() + "store-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
    }
    ~store_test() override { fs::remove_all(folder_); }
    store_test(const store_test&) = delete;
    store_test& operator=(const store_test&) = delete;

    [[nodiscard]] store open() {
        auto made = store::open(folder_.string(), {.sync = false});
        EXPECT_TRUE(made) << made.error().message();
        return std::move(*made);
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator{folder_}) {
            found.push_back(entry.path().filename());
        }
        return found;
    }
    [[nodiscard]] std::string content(const std::string& name) const {
        std::ostringstream all;
        all << std::ifstream{folder_ / name}.rdbuf();
        return all.str();
    }
    static void put(store& s, std::string_view name, std::string_view text) {
        auto file = s.receive();
        ASSERT_TRUE(file) << file.error().message();
        write_all(file->fd(), text);
        auto kept = file->commit(name);
        ASSERT_TRUE(kept) << kept.error().message();
    }

    fs::path folder_;
};

TEST_F(store_test, a_file_has_no_name_before_it_is_kept) {
    store s = open();
    auto file = s.receive();
    ASSERT_TRUE(file);
    write_all(file->fd(), "half of a ");
    EXPECT_THAT(names(), IsEmpty());
    write_all(file->fd(), "file");
    ASSERT_TRUE(file->commit("whole"));
    EXPECT_THAT(names(), ElementsAre("whole"));
    EXPECT_EQ(content("whole"), "half of a file");
}

TEST_F(store_test, one_that_was_not_kept_is_gone) {
    store s = open();
    {
        auto file = s.receive();
        ASSERT_TRUE(file);
        write_all(file->fd(), "half of a ");
    }
    EXPECT_THAT(names(), IsEmpty());
}

TEST_F(store_test, the_last_to_finish_wins_and_each_is_whole) {
    store s = open();
    auto first = s.receive();
    auto second = s.receive();
    ASSERT_TRUE(first && second);
    write_all(first->fd(), "the first");
    write_all(second->fd(), "the second");
    ASSERT_TRUE(second->commit("one"));
    EXPECT_EQ(content("one"), "the second");
    ASSERT_TRUE(first->commit("one"));
    EXPECT_EQ(content("one"), "the first");
    EXPECT_THAT(names(), ElementsAre("one"));
}

TEST_F(store_test, new_names_replace_nothing) {
    store s = open();
    std::vector<std::string> given;
    for (int i = 0; i < 3; ++i) {
        auto file = s.receive();
        ASSERT_TRUE(file);
        auto name = file->commit_under_new_name();
        ASSERT_TRUE(name) << name.error().message();
        given.push_back(*name);
    }
    EXPECT_THAT(names(), UnorderedElementsAre(given[0], given[1], given[2]));
}

TEST_F(store_test, what_is_no_name_is_refused_in_both_directions) {
    store s = open();
    const std::string long_name(256, 'x');
    const std::array<std::string_view, 13> bad{"",
                                               ".",
                                               "..",
                                               "../up",
                                               "/etc/passwd",
                                               "a/../b",
                                               "a//b",
                                               "a/.hid",
                                               ".hid",
                                               "a\nb",
                                               "a\tb",
                                               std::string_view{"a\0b", 3},
                                               std::string_view{"\xff"}};
    for (const auto name : bad) {
        EXPECT_FALSE(why_no_file_name(name).empty()) << name;
        auto file = s.receive();
        ASSERT_TRUE(file);
        auto kept = file->commit(name);
        EXPECT_TRUE(!kept && kept.error().is(EINVAL)) << name;
        EXPECT_FALSE(s.read(name)) << name;
    }
    EXPECT_FALSE(why_no_file_name(long_name).empty());
    EXPECT_EQ(why_no_file_name("grüß dich, 🙂.txt"), "");
    EXPECT_THAT(names(), IsEmpty());
}

TEST_F(store_test, reading_follows_no_link_and_opens_files_alone) {
    store s = open();
    put(s, "mine", "text");
    fs::create_symlink("/etc/passwd", folder_ / "out");
    fs::create_symlink("mine", folder_ / "within");
    fs::create_directory(folder_ / "folder");
    ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
    const auto why = [&](const char* name) {
        auto got = s.read(name);
        return got ? 0 : got.error().code();
    };
    EXPECT_EQ(why("mine"), 0);
    EXPECT_EQ(why("out"), ELOOP);
    EXPECT_EQ(why("within"), ELOOP);
    EXPECT_EQ(why("folder"), EISDIR);
    EXPECT_EQ(why("pipe"), ENXIO);
    EXPECT_EQ(why("nothing"), ENOENT);
}

TEST_F(store_test, the_directory_is_the_one_that_was_opened_whatever_its_name_is_now) {
    store s = open();
    const fs::path moved = folder_.string() + "-moved";
    fs::rename(folder_, moved);
    const fs::path other = folder_.string() + "-other";
    fs::create_directory(other);
    fs::create_symlink(other, folder_);
    put(s, "here", "text");
    EXPECT_TRUE(fs::exists(moved / "here"));
    EXPECT_TRUE(fs::is_empty(other));
    fs::remove(folder_);
    fs::remove(other);
    fs::rename(moved, folder_);
}

TEST_F(store_test, left_overs_of_an_earlier_process_go_and_nothing_else) {
    std::ofstream{folder_ / ".sluice-1-7"} << "half of a ";
    std::ofstream{folder_ / "mine"} << "whole";
    static_cast<void>(open());
    EXPECT_THAT(names(), ElementsAre("mine"));
}

TEST_F(store_test, a_place_that_is_no_directory_is_refused) {
    std::ofstream{folder_ / "file"} << "x";
    const auto made = store::open(folder_ / "file", {});
    EXPECT_TRUE(!made && made.error().is(ENOTDIR));
}

TEST_F(store_test, directories_are_made_when_a_file_is_kept) {
    store s = open();
    put(s, "a/b/c.txt", "text");
    put(s, "a/d.txt", "more");
    EXPECT_EQ(content("a/b/c.txt"), "text");
    EXPECT_TRUE(s.read("a/b/c.txt"));
    auto file = s.receive();
    ASSERT_TRUE(file);
    const auto why = [&file](std::string_view path) {
        auto kept = file->commit(path);
        return kept ? 0 : kept.error().code();
    };
    EXPECT_EQ(why("a/b"), EISDIR);
    EXPECT_EQ(why("a/d.txt/e"), ENOTDIR);
    const fs::path outside = folder_.string() + "-outside";
    fs::create_directory(outside);
    fs::create_symlink(outside, folder_ / "out");
    EXPECT_EQ(why("out/x"), ELOOP);
    EXPECT_EQ(why("out"), EINVAL);
    EXPECT_TRUE(fs::is_empty(outside));
    fs::remove(outside);
}

TEST_F(store_test, rules_say_what_may_be_replaced) {
    store s = open();
    put(s, "a", "first");
    const auto known = file_state::of(*s.status_of("a"));
    const auto over_known = [&known](const struct stat* there) {
        return there != nullptr && file_state::of(*there) == known;
    };
    const auto keep = [&s](std::string_view text, const commit_rule& rule) {
        auto file = s.receive();
        write_all(file->fd(), text);
        auto kept = file->commit("a", rule);
        return kept ? std::string{*kept ? "replaced" : "new"} : kept.error().message();
    };
    EXPECT_EQ(keep("x", {.only_new = true}), error::system(EEXIST).message());
    EXPECT_EQ(keep("second", {.holds = over_known}), "replaced");
    EXPECT_EQ(keep("x", {.holds = over_known}), error::system(EEXIST).message());
    EXPECT_TRUE(!s.remove("a", known));
    EXPECT_EQ(content("a"), "second");
    EXPECT_TRUE(s.remove("a", file_state::of(*s.status_of("a"))));
    EXPECT_EQ(keep("x", {.holds = over_known}), error::system(EEXIST).message());
    EXPECT_EQ(keep("third", {.only_new = true}), "new");
}

TEST_F(store_test, what_has_a_name_stays_while_a_rule_looks_at_it) {
    store s = open();
    put(s, "dir/a", "first");
    auto one = s.receive();
    auto other = s.receive();
    ASSERT_TRUE(one && other);
    std::vector<std::string> happened;
    const commit_rule looks{.holds = [&](const struct stat* there) {
        EXPECT_NE(there, nullptr);
        for (const bool with_rule : {false, true}) {
            commit_rule at_once{.may_wait = false};
            if (with_rule) at_once.holds = [](const struct stat*) { return true; };
            const auto kept = other->commit("dir/a", at_once);
            happened.push_back(kept ? "kept" : kept.error().message());
        }
        return true;
    }};
    ASSERT_TRUE(one->commit("dir/a", looks));
    EXPECT_THAT(happened, Each(error::system(EAGAIN).message()));
    EXPECT_EQ(happened.size(), 2);
    EXPECT_TRUE(other->commit("dir/a", {.may_wait = false}));
}

TEST_F(store_test, of_many_who_replace_one_state_one_does) {
    constexpr int many = 8;
    for (int round = 0; round < 50; ++round) {
        store s = open();
        put(s, "a", "known");
        const auto known = file_state::of(*s.status_of("a"));
        std::atomic<int> done = 0;
        std::barrier begin{many};
        std::vector<std::thread> all;
        for (int i = 0; i < many; ++i) {
            all.emplace_back([&] {
                auto file = s.receive();
                begin.arrive_and_wait();
                const auto kept =
                    file->commit("a", {.holds = [&](const struct stat* there) {
                                     return there != nullptr && file_state::of(*there) == known;
                                 }});
                if (kept) {
                    ++done;
                } else {
                    EXPECT_TRUE(kept.error().is(EEXIST));
                }
            });
        }
        for (auto& each : all) each.join();
        EXPECT_EQ(done, 1);
    }
}

TEST_F(store_test, a_directory_shows_files_and_directories_alone) {
    store s = open();
    put(s, "dir/file", "text");
    put(s, "a", "a");
    fs::create_symlink("a", folder_ / "link");
    ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
    std::ofstream{folder_ / ".hidden"} << "x";
    std::ofstream{folder_ / "\xff"} << "x";
    std::vector<std::string> found;
    const auto all = read_folder(s.folder("").value(), 100);
    ASSERT_TRUE(all);
    for (const auto& each : all->entries) {
        found.push_back(each.name + (each.directory ? "/" : " " + std::to_string(each.size)));
    }
    EXPECT_THAT(found, ElementsAre("dir/", "a 1"));
    EXPECT_EQ(all->unlisted, 1U);
    EXPECT_EQ(all->omitted, 0U);
    EXPECT_EQ(all->folders, 1U);
    EXPECT_EQ(all->bytes, 1U);
    EXPECT_GE(read_folder(s.folder("").value(), 1)->omitted, 1U);
    EXPECT_EQ(s.folder("a").error().code(), ENOTDIR);
    EXPECT_EQ(s.folder("link").error().code(), ELOOP);
    EXPECT_EQ(s.folder("none").error().code(), ENOENT);
    EXPECT_EQ(s.folder("..").error().code(), EINVAL);
}

TEST_F(store_test, a_part_waits_to_be_resumed_by_one_at_a_time) {
    store s = open();
    EXPECT_EQ(s.arrived("whole", "key"), 0U);
    {
        auto part = s.resume("whole", "key", 14);
        ASSERT_TRUE(part);
        ASSERT_TRUE(part->claim(1 << 20));
        write_all(part->fd(), "half of a ");
        EXPECT_TRUE(s.resume("whole", "key", 14).error().is(EBUSY));
        EXPECT_TRUE(s.resume("whole", "other", 14));
    }
    EXPECT_EQ(s.arrived("whole", "key"), 10U);
    EXPECT_THAT(read_folder(s.folder("").value(), 100)->entries, IsEmpty());
    EXPECT_FALSE(s.read(names().front()));
    auto part = s.resume("whole", "key", 14);
    ASSERT_TRUE(part);
    ASSERT_EQ(::lseek(part->fd(), 0, SEEK_END), 10);
    write_all(part->fd(), "file");
    ASSERT_TRUE(part->commit("whole"));
    EXPECT_EQ(content("whole"), "half of a file");
    EXPECT_THAT(names(), ElementsAre("whole"));
    auto unwanted = s.resume("whole", "key", 14);
    ASSERT_TRUE(unwanted);
    write_all(unwanted->fd(), "x");
    unwanted->forget();
    unwanted->stop();
    EXPECT_THAT(names(), ElementsAre("whole"));
}

TEST_F(store_test, parts_beyond_their_number_or_age_go_and_are_counted_off) {
    auto opened = store::open(folder_.string(),
                              {.sync = false, .quota = 1000, .partial = {.age = 1h, .count = 3}});
    ASSERT_TRUE(opened);
    store& s = *opened;
    const auto leave = [&s](std::string_view key, std::chrono::hours age) {
        auto part = s.resume("dir/whole", key, 500);
        ASSERT_TRUE(part) << part.error().message();
        ASSERT_TRUE(part->claim(100));
        write_all(part->fd(), std::string(100, 'x'));
        const timespec then{.tv_sec = ::time(nullptr) - std::chrono::seconds{age}.count(),
                            .tv_nsec = 0};
        const std::array<timespec, 2> times{then, then};
        ::futimens(part->fd(), times.data());
    };
    const auto ids = [&s] {
        std::vector<std::string> found;
        for (const auto& each : s.partials().list()) found.push_back(each.id);
        return found;
    };
    leave("a1", 0h);
    leave("a2", 3h);
    leave("a3", 2h);
    EXPECT_EQ(s.used().taken(), 300U);
    EXPECT_EQ(s.partials().counted().waiting, 3U);
    leave("a4", 0h);
    EXPECT_THAT(ids(), UnorderedElementsAre("a1", "a3", "a4"));
    EXPECT_EQ(s.partials().counted().crowded_out, 1U);
    s.partials().expire();
    EXPECT_THAT(ids(), UnorderedElementsAre("a1", "a4"));
    EXPECT_EQ(s.partials().counted().expired, 1U);
    EXPECT_EQ(s.used().taken(), 200U);
    {
        const auto active = s.resume("dir/whole", "a1", 500);
        EXPECT_TRUE(s.partials().remove("a1").error().is(EBUSY));
        for (const auto& each : s.partials().list()) EXPECT_EQ(each.active, each.id == "a1");
    }
    EXPECT_TRUE(s.partials().remove("a1"));
    EXPECT_TRUE(s.partials().remove("a1").error().is(ENOENT));
    EXPECT_TRUE(s.partials().remove("../a4").error().is(ENOENT));
    EXPECT_EQ(s.used().taken(), 100U);
    const auto left = s.partials().list();
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].size, 100U);
    // Where the file system keeps what it is a part of.
    if (!left[0].path.empty()) {
        EXPECT_EQ(left[0].path, "dir/whole");
        EXPECT_EQ(left[0].total, 500U);
    }
}

TEST_F(store_test, one_file_makes_no_more_directories_than_it_may) {
    store s = open();
    std::string path;
    for (std::size_t i = 0; i < store::most_new_folders; ++i) path += "d/";
    put(s, path + "file", "text");
    EXPECT_EQ(content(path + "file"), "text");
    EXPECT_TRUE(s.receive("e/" + path + "file").error().is(E2BIG));
    auto file = s.receive();
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->commit("e/" + path + "file").error().is(E2BIG));
    EXPECT_FALSE(fs::exists(folder_ / "e"));
}

TEST_F(store_test, what_syncs_a_name_makes_no_directory) {
    auto opened = store::open(folder_.string(), {});
    ASSERT_TRUE(opened);
    store s = std::move(*opened);
    put(s, "d/a", "text");
    EXPECT_TRUE(s.sync_name("d/a"));
    fs::remove_all(folder_ / "d");
    EXPECT_TRUE(s.sync_name("d/a").error().is(ENOENT));
    EXPECT_FALSE(fs::exists(folder_ / "d"));
}

TEST_F(store_test, a_directory_is_read_once_for_its_version) {
    store s = open();
    put(s, "a", "text");
    listing_cache cache{s, {.entries = 100, .memory = 4000}};
    const auto first = cache.get("");
    ASSERT_TRUE(first);
    EXPECT_GT(cache.memory(), 0U);
    // The kernel's clock has to have gone on since the last change.
    std::shared_ptr<const files::folder_contents> same;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (same == nullptr && std::chrono::steady_clock::now() < deadline) {
        const auto one = cache.get("");
        const auto other = cache.get("");
        if (*one == *other) same = *one;
    }
    ASSERT_NE(same, nullptr);
    put(s, "b", "text");
    const auto second = cache.get("");
    EXPECT_EQ((*second)->entries.size(), 2U);
    EXPECT_NE((*second)->hash, same->hash);
    EXPECT_EQ(cache.get("none").error().code(), ENOENT);
    // What is being sent counts, and nothing beyond it is taken.
    for (int i = 0; i < 50; ++i) put(s, "dir/" + std::string(60, 'n') + std::to_string(i), "");
    EXPECT_TRUE(cache.get("dir").error().is(ENOBUFS));
}

TEST_F(store_test, a_digest_is_made_once_for_all_who_ask_and_given_up_with_the_last) {
    store s = open();
    const std::string text = pattern(3'000'000);
    put(s, "a", text);
    const auto found = s.read("a");
    ASSERT_TRUE(found);
    shared_digests all;
    constexpr std::uint64_t piece = 1'000'000;
    {
        digest_request first{all, found->file.get(), found->now};
        EXPECT_EQ(first.go_on(piece).value(), std::nullopt);
        std::optional<digest_request> second;
        second.emplace(all, found->file.get(), found->now);
        EXPECT_EQ(second->go_on(piece).value(), std::nullopt);
        second.reset();
        // What the other one has taken in is not taken in again.
        EXPECT_EQ(first.go_on(piece).value(), digest_of(found->file.get()).value());
    }
    digest_request later{all, found->file.get(), found->now};
    EXPECT_TRUE(later.go_on(1).value());
    std::ofstream{folder_ / "a", std::ios::app} << "more";
    const auto changed = s.read("a");
    {
        digest_request one{all, changed->file.get(), changed->now};
        EXPECT_EQ(one.go_on(piece).value(), std::nullopt);
    }
    // No request was left.
    digest_request again{all, changed->file.get(), changed->now};
    std::ofstream{folder_ / "a", std::ios::app} << "and more";
    for (int i = 0; i < 3; ++i) EXPECT_EQ(again.go_on(piece).value(), std::nullopt);
    EXPECT_TRUE(again.go_on(piece).error().is(ESTALE));
}

TEST_F(store_test, a_quota_counts_what_is_there_and_what_is_coming) {
    std::ofstream{folder_ / "old"} << std::string(400, 'x');
    auto opened = store::open(folder_.string(), {.sync = false, .quota = 1000});
    ASSERT_TRUE(opened);
    store& s = *opened;
    EXPECT_EQ(s.used().taken(), 400U);
    {
        auto first = s.receive();
        auto second = s.receive();
        ASSERT_TRUE(first->claim(500));
        EXPECT_TRUE(second->can_hold(200).error().is(EDQUOT));
        EXPECT_TRUE(second->claim(200).error().is(EDQUOT));
        EXPECT_TRUE(second->can_hold(100));
        EXPECT_TRUE(second->claim(100));
    }
    EXPECT_EQ(s.used().taken(), 400U);
    auto file = s.receive();
    ASSERT_TRUE(file->claim(600));
    write_all(file->fd(), std::string(300, 'y'));
    ASSERT_TRUE(file->commit("old"));
    EXPECT_EQ(s.used().taken(), 300U);
    ASSERT_TRUE(s.remove("old"));
    EXPECT_EQ(s.used().taken(), 0U);
}

TEST_F(store_test, a_digest_is_kept_for_the_file_as_it_is) {
    store s = open();
    auto file = s.receive();
    write_all(file->fd(), "abc");
    const auto digest = digest_of(file->fd());
    ASSERT_TRUE(digest);
    ASSERT_TRUE(file->commit("a", {.digest = *digest}));
    auto found = s.read("a");
    ASSERT_TRUE(found);
    if (!kept_digest(found->file.get(), found->now)) {
        GTEST_SKIP() << "no extended attributes here";
    }
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(kept_digest(found->file.get(), found->now), *digest);
        EXPECT_EQ(remembered_digest(found->file.get(), found->now), *digest);
    }
    std::ofstream{folder_ / "a", std::ios::app} << "d";
    found = s.read("a");
    EXPECT_EQ(kept_digest(found->file.get(), found->now), std::nullopt);
    EXPECT_EQ(remembered_digest(found->file.get(), found->now), std::nullopt);
}

TEST(digest, is_taken_along_while_a_file_grows) {
    const std::string text = pattern(3'000'000);
    const temporary_file file;
    transfer::byte_counter counter;
    digest_pool pool;
    write_all(file.fd(), std::string_view{text}.substr(0, 1000));
    digest_follower follower{pool, file.fd(), 1000, counter};
    follower.start();
    for (std::size_t at = 1000; at < text.size(); at += 500'000) {
        const auto piece = std::string_view{text}.substr(at, 500'000);
        write_all(file.fd(), piece);
        counter.add(piece.size());
    }
    EXPECT_EQ(follower.finish(text.size()).value(), digest_of(file.fd()).value());
    // Without a follower, too.
    digest_follower late{pool, file.fd(), 0, counter};
    EXPECT_EQ(late.left(text.size()), text.size());
    EXPECT_EQ(late.finish(text.size()).value(), digest_of(file.fd()).value());
    digest_follower unwanted{pool, file.fd(), 0, counter};
    unwanted.give_up();
    EXPECT_EQ(unwanted.finish(text.size()).error(), fault::cancelled);
}

TEST(digest, is_taken_of_many_files_by_few_threads) {
    constexpr std::size_t many = 32;
    const auto threads = [] {
        return std::distance(fs::directory_iterator{"/proc/self/task"}, fs::directory_iterator{});
    };
    const auto before = threads();
    const std::string text = pattern(5'000'000);
    const temporary_file file{text};
    const auto wanted = digest_of(file.fd()).value();
    transfer::byte_counter counter;
    digest_pool pool;
    std::list<digest_follower> followers;
    for (std::size_t i = 0; i < many; ++i) {
        followers.emplace_back(pool, file.fd(), 1'000'000, counter).start();
    }
    EXPECT_LE(threads() - before, 4);
    counter.add(text.size() - 1'000'000);
    // Some are taken back before a thread began, some in the middle of a piece.
    for (auto& each : followers) EXPECT_EQ(each.finish(text.size()).value(), wanted);
}

TEST(digest, pool_reads_what_has_come) {
    const std::string text = pattern(5'000'000);
    const temporary_file file{text};
    transfer::byte_counter counter;
    digest_pool pool;
    counter.add(text.size());
    // Each gives the pool longer.
    for (auto time = 1ms; time < 60s; time *= 2) {
        digest_follower follower{pool, file.fd(), 0, counter};
        follower.start();
        std::this_thread::sleep_for(time);
        if (follower.left(text.size()) < 200'000) {
            EXPECT_EQ(follower.finish(text.size()).value(), digest_of(file.fd()).value());
            return;
        }
    }
    FAIL() << "nobody went along";
}

TEST(digest, is_that_of_fips_180_2) {
    const temporary_file abc{"abc"};
    EXPECT_EQ(http::to_hex(digest_of(abc.fd()).value()),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const temporary_file nothing;
    EXPECT_EQ(http::to_hex(digest_of(nothing.fd()).value()),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const temporary_file million{std::string(1'000'000, 'a')};
    EXPECT_EQ(http::to_hex(digest_of(million.fd()).value()),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace sluice::test
