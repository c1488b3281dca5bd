// Parses and formats Range and Content-Range fields (RFC 9110, section 14).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::http {

/// `length` bytes from `offset`; never empty.
struct byte_part {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    /// Offset of the last byte.
    [[nodiscard]] std::uint64_t last() const noexcept { return offset + length - 1; }
    friend bool operator==(const byte_part&, const byte_part&) = default;
};

/// The parts of a file that a Range field asks for.
struct asked_range {
    enum class kind : std::uint8_t {
        everything,     ///< no range, another unit, or a malformed one: send all
        parts,          ///< `parts` of it
        unsatisfiable,  ///< no range lies within the file (416)
    };
    kind what = kind::everything;
    std::vector<byte_part> parts;  ///< in the order asked; touching and overlapping ones joined
};

/// `size`: of the file, in bytes. More than `most` separate ranges count as everything: they cost
/// more than they save.
[[nodiscard]] asked_range parse_range(std::string_view field, std::uint64_t size, std::size_t most);

/// A Content-Range field: `bytes 0-99/1000`, `bytes */1000` or `bytes 0-99/*`.
struct content_range {
    std::optional<byte_part> part;
    std::optional<std::uint64_t> total;
    friend bool operator==(const content_range&, const content_range&) = default;
};

/// None if the unit is not bytes, or the field is malformed or has neither part nor total.
[[nodiscard]] std::optional<content_range> parse_content_range(std::string_view field) noexcept;
[[nodiscard]] std::string format_content_range(const content_range& range);

/// Bytes of an upload that have arrived, from the answer to a part of it: `bytes=0-99` is 100. None
/// for any other text.
[[nodiscard]] std::optional<std::uint64_t> parse_arrived(std::string_view field) noexcept;
/// Formats such a field; `bytes` is more than 0.
[[nodiscard]] std::string format_arrived(std::uint64_t bytes);

}  // namespace sluice::http
