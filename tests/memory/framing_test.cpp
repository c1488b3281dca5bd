// Framing and memory: which reads allocate, and what happens when an allocation fails.
#include "sluice/wire/framing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>

#include "sluice/wire/text.hpp"
#include "tests/memory/allocations.hpp"

namespace sluice::wire {
namespace {

/// The sum of the messages' lengths, so that none is left unread; none on an error.
std::optional<std::size_t> drain(frame_reader& reader) {
    std::size_t bytes = 0;
    while (true) {
        const auto found = reader.next();
        if (!found) return std::nullopt;
        if (!*found) return bytes;
        bytes += (*found)->text.size();
    }
}

TEST(framing_allocations, are_none_for_whole_lines) {
    std::string chunk;
    for (int i = 0; i < 100; ++i) append_framed(chunk, "a line that fits no small string", true);
    frame_reader reader{framing::automatic, 4096, sender::person};
    const auto before = test::allocations();
    for (int i = 0; i < 100; ++i) {
        reader.feed(chunk);
        EXPECT_EQ(drain(reader), chunk.size() - 100);
    }
    EXPECT_EQ(test::allocations() - before, 0U);
}

TEST(framing_allocations, are_one_while_every_chunk_ends_within_a_short_line) {
    const std::string chunk = "ne of a few words\nand another one\nthis is o";
    frame_reader reader{framing::line, 4096};
    const auto before = test::allocations();
    for (int i = 0; i < 100; ++i) {
        reader.feed(chunk);
        EXPECT_TRUE(drain(reader));
    }
    EXPECT_EQ(test::allocations() - before, 1U);
}

TEST(framing_allocations, are_none_for_raw_chunks) {
    const std::string chunk(4096, 'x');
    frame_reader reader{framing::raw, 4096};
    const auto before = test::allocations();
    reader.feed(chunk);
    EXPECT_EQ(drain(reader), chunk.size());
    EXPECT_EQ(test::allocations() - before, 0U);
}

TEST(framing_allocations, that_fail_end_in_an_error_and_leave_nothing_behind) {
    // The first fails while the rest of a chunk is kept, the second while a line is joined.
    const std::string rest = std::string(1000, 'x') + "\n";
    for (const std::size_t nth : {1U, 2U}) {
        frame_reader reader{framing::line, 4096};
        const auto found = [&] {
            const test::failing_allocation failing{nth};
            reader.feed("begun ");
            if (auto first = reader.next(); !first) return first;
            reader.feed(rest);
            return reader.next();
        }();
        ASSERT_FALSE(found) << nth;
        EXPECT_TRUE(found.error().is(ENOMEM)) << nth;
        EXPECT_EQ(reader.held_bytes(), 0U);
        reader.feed("again\n");
        EXPECT_FALSE(reader.next()) << "the boundaries are lost";
    }
}

TEST(printable_allocations, are_none_where_nothing_is_escaped) {
    const std::string text = "Gr\xc3\xbc\xc3\x9f dich, \xf0\x9f\x98\x80, and all who read along";
    std::string scratch;
    const auto before = test::allocations();
    EXPECT_EQ(printable(text, scratch).data(), text.data());
    EXPECT_TRUE(is_valid_utf8(text));
    EXPECT_EQ(truncate_utf8(text, 10).data(), text.data());
    EXPECT_EQ(test::allocations() - before, 0U);
}

}  // namespace
}  // namespace sluice::wire
