// The input of a fuzz target, and its split into pieces, which is drawn from the input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "sluice/base/check.hpp"

namespace sluice::fuzz {

/// Takes the first byte off `input`; 0 where there is none.
inline std::uint8_t take_byte(std::string_view& input) noexcept {
    if (input.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(input.front());
    input.remove_prefix(1);
    return byte;
}

/// Bytes that arrive in pieces.
struct stream {
    std::string_view bytes;
    /// A byte for the length of each piece, over and over until all bytes have come; all at once if
    /// there are none.
    std::string_view lengths = {};

    /// The first byte of `input` says in its three lowest bits how many of those behind it are
    /// lengths. The rest is what arrives.
    [[nodiscard]] static stream of(std::string_view input) noexcept {
        const std::size_t count = take_byte(input) & 7U;
        const auto lengths = input.substr(0, count);
        input.remove_prefix(lengths.size());
        return {.bytes = input, .lengths = lengths};
    }
};

/// The pieces of a stream, of up to 64 bytes each. Each lies in memory of its own, so that a look
/// beyond its ends, or after its time, is seen.
class pieces {
 public:
    /// With `most`, pieces are longer rather than more than that.
    explicit pieces(const stream& s, std::size_t most = SIZE_MAX) noexcept
        : left_{s.bytes}, lengths_{s.lengths}, least_{s.bytes.size() / most} {}

    /// The next piece, valid until the next call; empty at the end.
    [[nodiscard]] std::string_view next() {
        std::size_t length = left_.size();
        if (!lengths_.empty()) {
            const auto drawn = static_cast<std::uint8_t>(lengths_[at_++ % lengths_.size()]);
            length = std::min(length, std::max<std::size_t>(1 + (drawn & 63U), least_));
        }
        memory_ = std::make_unique_for_overwrite<char[]>(length);
        if (length > 0) std::memcpy(memory_.get(), left_.data(), length);
        left_.remove_prefix(length);
        return {memory_.get(), length};
    }

 private:
    std::string_view left_;
    std::string_view lengths_;
    std::size_t least_;
    std::size_t at_ = 0;
    std::unique_ptr<char[]> memory_;
};

/// What `read` makes of a stream: the same of its bytes at once and split as the input says.
template <class Read>
[[nodiscard]] auto same_for_any_split(const stream& s, Read read) {
    auto whole = read(stream{.bytes = s.bytes});
    check(read(s) == whole, "a split of the same bytes changes what is read");
    return whole;
}

}  // namespace sluice::fuzz
