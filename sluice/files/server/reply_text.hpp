// Formats the heads of HTTP responses into a buffer of the caller.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::files {

/// Writes from the front of `buffer`. Text that does not fit is left out, with all that follows.
class reply_text {
 public:
    explicit reply_text(std::span<char> buffer) noexcept : buffer_{buffer} {}

    reply_text& add(std::string_view text) noexcept;
    reply_text& add(std::uint64_t number) noexcept;
    /// In hexadecimal digits.
    reply_text& add_hex(std::uint64_t number) noexcept;
    /// `NAME: VALUE` and the line's end.
    reply_text& field(std::string_view name, std::string_view value) noexcept {
        return add(name).add(": ").add(value).add("\r\n");
    }
    reply_text& field(std::string_view name, std::uint64_t value) noexcept {
        return add(name).add(": ").add(value).add("\r\n");
    }

    [[nodiscard]] std::size_t size() const noexcept { return used_; }
    [[nodiscard]] std::size_t left() const noexcept { return buffer_.size() - used_; }
    /// The unused space, and how many bytes of it the caller has filled.
    [[nodiscard]] std::span<char> space() const noexcept { return buffer_.subspan(used_); }
    void advance(std::size_t bytes) noexcept { used_ += bytes; }
    void cut(std::size_t size) noexcept { used_ = size; }
    /// True if text was left out: the response is of no use.
    [[nodiscard]] bool outgrown() const noexcept { return outgrown_; }
    [[nodiscard]] std::string_view text() const noexcept { return {buffer_.data(), used_}; }

 private:
    std::span<char> buffer_;
    std::size_t used_ = 0;
    bool outgrown_ = false;
};

/// A date as HTTP writes it, from a cache of the last ones on this thread. Valid until the next
/// call on this thread.
[[nodiscard]] std::string_view remembered_date(std::chrono::sys_seconds when);

}  // namespace sluice::files
