// result<T> and error: a value, or an error code of four bytes.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace sluice {

/// Errors of sluice, for failures that no errno names.
enum class fault : std::uint8_t {
    timed_out = 1,     ///< a deadline passed before the operation completed
    cancelled,         ///< its scope was cancelled before the operation completed
    closed,            ///< a channel, a pool or a server is closed
    message_too_long,  ///< a message exceeded the limit on its length
    queue_full,        ///< a bounded queue is full; nothing was queued
    ended,             ///< the stream ended where more was needed
    bad_address,       ///< text that does not name an address
    unsupported,       ///< this engine, kernel or file does not support the request
    http_spoken,       ///< a peer speaks HTTP where it is not spoken
    tls_spoken,        ///< a peer speaks TLS where it is not spoken
    tls_missing,       ///< a peer does not speak TLS where it is required
    tls_broken,        ///< a peer broke the rules of TLS, or refuses to go on
    cut_short,         ///< a stream over TLS ended without the peer's word that it is whole
};

/// An error in four bytes: the category in the top byte, the code in the rest. Cheap to copy and
/// compare; holds no text: message() makes it on demand.
class error {
 public:
    /// Whose code it is.
    enum class category : std::uint8_t {
        system = 1,  ///< an errno (errno(3))
        resolver,    ///< an EAI_* code of getaddrinfo(3)
        sluice,      ///< a `fault`
    };

    /// `code` is an errno, positive.
    [[nodiscard]] static constexpr error system(int code) noexcept {
        return {category::system, static_cast<std::uint32_t>(code)};
    }
    /// `code` is the return value of getaddrinfo(3), stored without its sign.
    [[nodiscard]] static constexpr error resolver(int code) noexcept {
        return {category::resolver, static_cast<std::uint32_t>(code < 0 ? -code : code)};
    }
    /// The error of sluice that `f` names.
    // NOLINTNEXTLINE(google-explicit-constructor): a fault is an error, as an int is a long
    constexpr error(fault f) noexcept : error{category::sluice, static_cast<std::uint32_t>(f)} {}

    /// The category, without the code.
    [[nodiscard]] constexpr category whose() const noexcept {
        return static_cast<category>(value_ >> 24);
    }
    /// The bare code, positive, without its category.
    [[nodiscard]] constexpr int code() const noexcept {
        return static_cast<int>(value_ & 0xff'ffffU);
    }
    /// True if this is the errno `code`.
    [[nodiscard]] constexpr bool is(int code) const noexcept { return *this == system(code); }

    /// A sentence fragment for people: "connection refused", "the deadline passed".
    [[nodiscard]] std::string message() const;

    /// True if category and code are the same.
    friend constexpr bool operator==(error, error) noexcept = default;

 private:
    constexpr error(category c, std::uint32_t code) noexcept
        : value_{(static_cast<std::uint32_t>(c) << 24) | (code & 0xff'ffffU)} {}

    std::uint32_t value_;
};
static_assert(sizeof(error) == 4);

/// Whether a peer speaks a protocol that is not spoken there.
[[nodiscard]] constexpr bool is_other_protocol(error e) noexcept {
    return e == fault::http_spoken || e == fault::tls_spoken;
}

/// A value, or the error that took its place.
template <class T>
using result = std::expected<T, error>;
/// True if T is a result of anything.
template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<std::expected<T, error>> = true;

/// `return failure(e)` in a function that returns a result.
[[nodiscard]] constexpr std::unexpected<error> failure(error e) noexcept {
    return std::unexpected{e};
}
/// The same for an errno.
[[nodiscard]] constexpr std::unexpected<error> failure_of(int code) noexcept {
    return std::unexpected{error::system(code)};
}

}  // namespace sluice
