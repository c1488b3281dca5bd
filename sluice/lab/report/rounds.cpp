// Implements told_rounds(): a sentence per count that is not 0.
#include "sluice/lab/report/rounds.hpp"

#include <fmt/format.h>

namespace sluice::lab {

std::string told_rounds(const round_count& of) {
    if (of.repeated == 0 && of.disturbed == 0) return {};
    auto text = fmt::format("Rounds that count: {}.", of.counted);
    if (of.disturbed > 0) text += fmt::format(" Disturbed among them: {}.", of.disturbed);
    if (of.repeated > 0) {
        text += fmt::format(" Disturbed, dropped and repeated: {}.", of.repeated);
    }
    return text;
}

}  // namespace sluice::lab
