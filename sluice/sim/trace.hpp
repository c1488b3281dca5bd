// Trace of a simulated world: a hash over all that happened, and the last lines as text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace sluice::sim {

/// What happened, in order. Two runs of a seed have equal hashes. No address and no real time is
/// given to it.
class trace {
 public:
    /// With `keep_all`, every line is kept for text(); otherwise the last ones.
    explicit trace(bool keep_all = false) : keep_all_{keep_all} {}

    /// Where a line comes from.
    struct place {
        std::int64_t time = 0;  ///< virtual nanoseconds
        int process = 0;        ///< 0: the kernel itself
        int fiber = 0;
    };
    /// One call or event. `name` is a literal. Of `text`, such as a path, the beginning is kept; of
    /// `arguments` the first four.
    void add(const place& where, const char* name, std::initializer_list<std::int64_t> arguments,
             std::int64_t result, std::string_view text = {});
    /// Adds bytes, such as those of a message, to the hash alone.
    void mix(std::uint64_t bits) noexcept {
        constexpr std::uint64_t prime = 0x9e37'79b9'7f4a'7c15U;
        hash_ = (hash_ ^ bits) * prime;
        hash_ ^= hash_ >> 32;
    }

    [[nodiscard]] bool keeps_all() const noexcept { return keep_all_; }
    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
    [[nodiscard]] std::uint64_t lines() const noexcept { return count_; }
    /// The last `n` lines, oldest first; at most 256 unless all are kept.
    [[nodiscard]] std::string last(std::size_t n) const;
    /// All that is kept.
    [[nodiscard]] std::string text() const { return last(SIZE_MAX); }

 private:
    struct line {
        place where;
        const char* name = "";
        std::array<std::int64_t, 4> arguments{};
        std::uint8_t given = 0;  // arguments
        std::int64_t result = 0;
        std::array<char, 48> text{};
    };
    static constexpr std::size_t kept = 256;
    void mix_text(std::string_view text) noexcept;
    static std::string show(const line& l);

    bool keep_all_;
    std::uint64_t hash_ = 0x51ce;
    std::uint64_t count_ = 0;
    std::array<line, kept> ring_{};
    std::string all_;
};

}  // namespace sluice::sim
