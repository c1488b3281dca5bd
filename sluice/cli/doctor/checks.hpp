// Checks of host facts: their meaning for sluice, and how to change them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "sluice/cli/doctor/host_facts.hpp"
#include "sluice/io/engines/uring_probe.hpp"

namespace sluice::cli {

enum class mark : std::uint8_t {
    ok,
    unknown,  ///< could not be read
    warn,     ///< sluice works, with less than it could have
    bad,      ///< sluice will run into it
};
[[nodiscard]] std::string_view to_text(mark result) noexcept;

/// A fact with its check.
struct finding {
    std::string_view section;  ///< part of the stable name: "limits"
    std::string_view key;      ///< the other part: "open_files"
    mark result = mark::unknown;
    nlohmann::ordered_json value;  ///< null where it could not be read
    std::string shown;             ///< the value for people
    std::string meaning;           ///< sentences
    std::string change;            ///< commands or settings, without a full stop
};

/// All checks, in the order of display. A pure function.
[[nodiscard]] std::vector<finding> judge_machine(const machine& host,
                                                 const io::uring_support& uring);

}  // namespace sluice::cli
