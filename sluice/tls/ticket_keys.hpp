// Keys of session tickets, which change, and are shared by threads and forked children.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "sluice/base/result.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::tls {

/// Keys to seal what a client presents to resume a session (RFC 8446, section 4.6.1). A new one is
/// drawn each `lifetime`, by the first that needs it, in memory that children share with their
/// parent; it opens tickets for one lifetime more, and is then overwritten. Any thread.
class ticket_keys {
 public:
    static constexpr std::chrono::hours lifetime{12};

    struct key {
        std::array<std::byte, 16> name;
        std::array<std::byte, 32> cipher;
        std::array<std::byte, 32> mac;
    };

    /// Errno of mmap(2).
    [[nodiscard]] static result<ticket_keys> create() noexcept;

    /// The key for new tickets; none without random numbers.
    [[nodiscard]] std::optional<key> current() noexcept;
    /// The key of that name, of this lifetime or the one before.
    [[nodiscard]] std::optional<key> find(const std::array<std::byte, 16>& name) noexcept;

 private:
    struct shared;

    explicit ticket_keys(mapping memory) noexcept : memory_{std::move(memory)} {}
    [[nodiscard]] shared& state() const noexcept { return *static_cast<shared*>(memory_.data()); }
    void draw_if_due() noexcept;

    mapping memory_;
};

}  // namespace sluice::tls
