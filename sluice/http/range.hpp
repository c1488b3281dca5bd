// Parts of a file as HTTP names them: Range and Content-Range (RFC 9110, section 14).
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
    /// The last byte's place.
    [[nodiscard]] std::uint64_t last() const noexcept { return offset + length - 1; }
    friend bool operator==(const byte_part&, const byte_part&) = default;
};

/// What a Range field asks of a file.
struct asked_range {
    enum class kind : std::uint8_t {
        everything,     ///< no range, another unit, or one that makes no sense: send all
        parts,          ///< `parts` of it
        unsatisfiable,  ///< nothing of it lies within the file (416)
    };
    kind what = kind::everything;
    std::vector<byte_part> parts;  ///< in the order asked; those that touch or overlap are one
};

/// `size` is the file's. More than `most` ranges that do not touch are taken for everything, for
/// they cost more than they spare.
[[nodiscard]] asked_range parse_range(std::string_view field, std::uint64_t size, std::size_t most);

/// What Content-Range says: `bytes 0-99/1000`, `bytes */1000` or `bytes 0-99/*`.
struct content_range {
    std::optional<byte_part> part;
    std::optional<std::uint64_t> total;
    friend bool operator==(const content_range&, const content_range&) = default;
};

/// None if it is not of bytes, makes no sense, or says neither.
[[nodiscard]] std::optional<content_range> parse_content_range(std::string_view field) noexcept;
[[nodiscard]] std::string format_content_range(const content_range& range);

/// How much of an upload has arrived, as the answer to a part of it says: `bytes=0-99` is 100.
/// None if `field` says anything else.
[[nodiscard]] std::optional<std::uint64_t> parse_arrived(std::string_view field) noexcept;
/// The same the other way; `bytes` is more than 0.
[[nodiscard]] std::string format_arrived(std::uint64_t bytes);

}  // namespace sluice::http
