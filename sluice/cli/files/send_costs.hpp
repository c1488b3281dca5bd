// Announces what the ways to send files have cost, and which of them `auto` takes.
#pragma once

namespace sluice::cli {

/// One block of counters per kind of peer that was sent enough to be measured; none before.
void announce_send_costs();

}  // namespace sluice::cli
