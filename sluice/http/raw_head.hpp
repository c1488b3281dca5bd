// Reads single words and fields of a head as they were received, for logs.
#pragma once

#include <string_view>

namespace sluice::http {

/// The first two words of a head, whether it can be parsed or not.
struct request_words {
    std::string_view method;
    std::string_view target;
};
[[nodiscard]] request_words first_words(std::string_view head) noexcept;

/// The value of the first field of that name; empty if there is none.
[[nodiscard]] std::string_view raw_field(std::string_view head, std::string_view name) noexcept;

}  // namespace sluice::http
