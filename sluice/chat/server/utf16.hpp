// Defines text16, a UTF-16 buffer on the stack for ICU, and its conversions from and to UTF-8.
#pragma once

#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::chat {

/// UTF-16 text of fixed capacity. Empty after a conversion whose result did not fit.
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): ICU writes every unit that is read
struct text16 {
    /// In UTF-16 units: fits a name in any form; NFKC expands a character to at most 18 (U+FDFA).
    static constexpr std::int32_t max_units = 2048;

    std::array<UChar, max_units> units;
    std::int32_t size = 0;

    void clear_on_error(UErrorCode code) noexcept {
        if (U_FAILURE(code) != 0) size = 0;
    }
    /// The code point at `i`; advances `i`. A surrogate without its other half is returned as it
    /// is.
    [[nodiscard]] UChar32 next(std::int32_t& i) const noexcept {
        const UChar32 high = units[static_cast<std::size_t>(i++)];
        if (high < 0xd800 || high > 0xdbff || i == size) return high;
        const UChar32 low = units[static_cast<std::size_t>(i)];
        if (low < 0xdc00 || low > 0xdfff) return high;
        ++i;
        return 0x10000 + ((high - 0xd800) * 0x400) + (low - 0xdc00);
    }
    void append(UChar32 c) noexcept {
        if (size + 2 > max_units) return;
        if (c > 0xffff) {
            units[static_cast<std::size_t>(size++)] =
                static_cast<UChar>(0xd800 + ((c - 0x10000) / 0x400));
            c = 0xdc00 + ((c - 0x10000) % 0x400);
        }
        units[static_cast<std::size_t>(size++)] = static_cast<UChar>(c);
    }
    [[nodiscard]] UChar32 first() const noexcept {
        std::int32_t i = 0;
        return size == 0 ? 0 : next(i);
    }
    template <class F>
    void for_each(F f) const {
        for (std::int32_t i = 0; i < size;) f(next(i));
    }
};

[[nodiscard]] inline text16 to_utf16(std::string_view utf8) noexcept {
    text16 made;
    UErrorCode code = U_ZERO_ERROR;
    u_strFromUTF8(made.units.data(), text16::max_units, &made.size, utf8.data(),
                  static_cast<std::int32_t>(utf8.size()), &code);
    made.clear_on_error(code);
    return made;
}

inline void normalize(text16& text, const UNormalizer2* form) noexcept {
    text16 made;
    UErrorCode code = U_ZERO_ERROR;
    made.size = unorm2_normalize(form, text.units.data(), text.size, made.units.data(),
                                 text16::max_units, &code);
    made.clear_on_error(code);
    std::copy_n(made.units.data(), made.size, text.units.data());
    text.size = made.size;
}

[[nodiscard]] inline std::string to_utf8(const text16& text) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): ICU writes every byte that is read
    std::array<char, 3 * text16::max_units> bytes;
    std::int32_t size = 0;
    UErrorCode code = U_ZERO_ERROR;
    u_strToUTF8(bytes.data(), static_cast<std::int32_t>(bytes.size()), &size, text.units.data(),
                text.size, &code);
    if (U_FAILURE(code) != 0) return {};
    return {bytes.data(), static_cast<std::size_t>(size)};
}

}  // namespace sluice::chat
