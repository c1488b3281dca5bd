// Implements announce_send_costs() as blocks of counters.
#include "sluice/cli/files/send_costs.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/cli/log.hpp"
#include "sluice/transfer/send_choice.hpp"

namespace sluice::cli {
namespace {

void announce_costs(std::string_view title, transfer::peer_kind kind) {
    const auto rows = transfer::send_costs_of(kind).rows();
    std::array<counter, rows.size()> all;
    std::array<std::string, rows.size()> descriptions;
    bool measured = false;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto& row = rows.at(i);
        measured = measured || row.mebibytes > 0;
        descriptions.at(i) = fmt::format("us of CPU per GiB, over {} MiB{}", row.mebibytes,
                                         row.chosen ? ": chosen" : "");
        all.at(i) = {transfer::to_text(row.how), row.us_per_gibibyte, descriptions.at(i)};
    }
    if (measured) announce_counters(title, all);
}

}  // namespace

void announce_send_costs() {
    announce_costs("sends to this machine", transfer::peer_kind::loopback);
    announce_costs("sends to other machines", transfer::peer_kind::network);
}

}  // namespace sluice::cli
