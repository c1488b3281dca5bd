// The list and the heap whose links live in their elements, against ones that copy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "sluice/base/intrusive_heap.hpp"
#include "sluice/base/intrusive_list.hpp"

namespace sluice::test {
namespace {

struct first_tag;
struct second_tag;

struct item : list_hook<first_tag>, list_hook<second_tag> {
    explicit item(int v) : value{v} {}
    int value;
};
using list = intrusive_list<item, first_tag>;
using other_list = intrusive_list<item, second_tag>;
bool linked(const item& i) {
    return static_cast<const list_hook<first_tag>&>(i).linked();
}
void unlink(item& i) {
    static_cast<list_hook<first_tag>&>(i).unlink();
}
std::vector<int> drained(list& l) {
    std::vector<int> values;
    while (!l.empty()) values.push_back(l.pop_front().value);
    return values;
}

TEST(intrusive_list, first_in_first_out) {
    list l;
    EXPECT_TRUE(l.empty());
    item a{1};
    item b{2};
    item c{3};
    for (auto* i : {&a, &b, &c}) l.push_back(*i);
    EXPECT_FALSE(l.empty());
    EXPECT_TRUE(linked(b));
    EXPECT_EQ(&l.front(), &a);
    EXPECT_THAT(drained(l), ::testing::ElementsAre(1, 2, 3));
    EXPECT_FALSE(linked(b));
}

TEST(intrusive_list, elements_leave_from_anywhere) {
    list l;
    item a{1};
    item b{2};
    item c{3};
    item d{4};
    for (auto* i : {&a, &b, &c, &d}) l.push_back(*i);
    unlink(b);
    unlink(b);
    unlink(d);
    l.push_back(b);
    unlink(a);
    EXPECT_THAT(drained(l), ::testing::ElementsAre(3, 2));
}

TEST(intrusive_list, an_element_stands_in_a_list_a_tag) {
    list one;
    other_list two;
    item a{1};
    one.push_back(a);
    two.push_back(a);
    unlink(a);
    EXPECT_TRUE(one.empty());
    EXPECT_EQ(&two.pop_front(), &a);
}

TEST(intrusive_list, takes_all_of_another) {
    list l;
    list more;
    item a{1};
    item b{2};
    item c{3};
    l.take_all(more);
    EXPECT_TRUE(l.empty());
    more.push_back(a);
    more.push_back(b);
    l.take_all(more);
    EXPECT_TRUE(more.empty());
    more.push_back(c);
    l.take_all(more);
    EXPECT_THAT(drained(l), ::testing::ElementsAre(1, 2, 3));
}

TEST(intrusive_list, visits_each_even_if_it_leaves) {
    list l;
    item a{1};
    item b{2};
    item c{3};
    for (auto* i : {&a, &b, &c}) l.push_back(*i);
    std::vector<int> seen;
    l.for_each([&](item& i) {
        seen.push_back(i.value);
        if (i.value != 2) unlink(i);
    });
    EXPECT_THAT(seen, ::testing::ElementsAre(1, 2, 3));
    EXPECT_THAT(drained(l), ::testing::ElementsAre(2));
}

TEST(intrusive_list_death_test, misuse) {
    item a{1};
    EXPECT_DEATH(
        {
            list l;
            l.push_back(a);
            l.push_back(a);
        },
        "an element is linked twice");
    EXPECT_DEATH(
        {
            list l;
            l.push_back(a);
        },
        "a list is destroyed with elements in it");
    EXPECT_DEATH(list{}.pop_front(), "the front of an empty list");
}

struct entry : heap_hook<entry> {
    explicit entry(int k) : key{k} {}
    friend bool operator<(const entry& a, const entry& b) { return a.key < b.key; }
    int key;
};
using heap = intrusive_heap<entry>;

TEST(intrusive_heap, gives_the_least_first) {
    heap h;
    EXPECT_TRUE(h.empty());
    EXPECT_EQ(h.least(), nullptr);
    std::vector<std::unique_ptr<entry>> entries;
    for (const int key : {5, 1, 4, 1, 3}) {
        entries.push_back(std::make_unique<entry>(key));
        h.push(*entries.back());
    }
    std::vector<int> order;
    while (!h.empty()) {
        entry& least = *h.least();
        order.push_back(least.key);
        EXPECT_TRUE(least.in_heap());
        h.remove(least);
        EXPECT_FALSE(least.in_heap());
        h.remove(least);
    }
    EXPECT_THAT(order, ::testing::ElementsAre(1, 1, 3, 4, 5));
}

TEST(intrusive_heap, agrees_with_a_sorted_set) {
    std::mt19937 random{20};
    for (int round = 0; round < 20; ++round) {
        heap h;
        std::multiset<int> expected;
        std::vector<std::unique_ptr<entry>> in;
        for (int step = 0; step < 2000; ++step) {
            const auto choice = random() % 8;
            if (in.empty() || choice < 4) {
                in.push_back(std::make_unique<entry>(static_cast<int>(random() % 100)));
                h.push(*in.back());
                expected.insert(in.back()->key);
            } else if (choice < 6) {
                entry* least = h.least();
                ASSERT_EQ(least->key, *expected.begin());
                expected.erase(expected.begin());
                h.remove(*least);
                std::erase_if(in, [least](const auto& e) { return e.get() == least; });
            } else {
                const auto at = static_cast<std::ptrdiff_t>(random() % in.size());
                entry& any = **(in.begin() + at);
                expected.erase(expected.find(any.key));
                h.remove(any);
                in.erase(in.begin() + at);
            }
            ASSERT_EQ(h.empty(), expected.empty());
            if (!expected.empty()) {
                ASSERT_EQ(h.least()->key, *expected.begin());
            }
        }
        for (const auto& e : in) h.remove(*e);
        EXPECT_TRUE(h.empty());
    }
}

TEST(intrusive_heap, a_million_need_no_stack) {
    constexpr int count = 1'000'000;
    heap h;
    const auto entries = std::make_unique<std::vector<std::unique_ptr<entry>>>();
    // Rising keys: each becomes a child of the root, which then has a million.
    for (int key = 0; key < count; ++key) {
        entries->push_back(std::make_unique<entry>(key));
        h.push(*entries->back());
    }
    for (int key = 0; key < 1000; ++key) {
        ASSERT_EQ(h.least()->key, key);
        h.remove(*h.least());
    }
    for (int key = count - 1; key >= 1000; --key) h.remove(*(*entries)[static_cast<unsigned>(key)]);
    EXPECT_TRUE(h.empty());
}

TEST(intrusive_heap_death_test, misuse) {
    entry e{1};
    EXPECT_DEATH(
        {
            heap h;
            h.push(e);
            h.push(e);
        },
        "an element is pushed while it is in a heap");
    EXPECT_DEATH(
        {
            heap h;
            h.push(e);
        },
        "a heap is destroyed with elements in it");
}

}  // namespace
}  // namespace sluice::test
