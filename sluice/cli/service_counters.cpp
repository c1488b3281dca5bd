// Names and descriptions of the counters of raw file, offer and compute services.
#include "sluice/cli/service_counters.hpp"

#include <array>

#include "sluice/cli/log.hpp"

namespace sluice::cli {

void announce_counters(const files::raw_counters& c) {
    announce_counters(
        "raw files",
        std::array{counter{"clients", c.clients, "connections"},
                   counter{"transfers", c.transfers, "that go on now"},
                   counter{"stored", c.stored, "files, those that were only counted included"},
                   counter{"bytes", c.bytes, "of them"},
                   counter{"lost", c.lost, "clients that left before the end"},
                   counter{"too_large", c.too_large, "uploads beyond --max-size"},
                   counter{"failed", c.failed, "uploads that the disk did not take"}});
}

void announce_counters(const files::offer_counters& c) {
    announce_counters("offer",
                      std::array{counter{"clients", c.clients, "connections"},
                                 counter{"served", c.served, "clients that were sent all of it"},
                                 counter{"bytes", c.bytes, "that were sent"},
                                 counter{"lost", c.lost, "clients that left before the end"}});
}

void announce_counters(const compute::compute_counters& c) {
    announce_counters(
        "compute",
        std::array{counter{"at_once", c.at_once, "answers where the question was read"},
                   counter{"worked_on", c.worked_on, "answers after work"},
                   counter{"busy", c.busy, "refused: the queue was full"},
                   counter{"late", c.late, "refused after --deadline"},
                   counter{"failed", c.failed, "not answered: a program broke"},
                   counter{"too_long", c.too_long, "questions beyond --max-line"},
                   counter{"abandoned", c.abandoned, "not computed: the client had left"},
                   counter{"idle", c.idle, "connections closed after --idle-time"},
                   counter{"stalled", c.stalled, "connections closed after --stall-time"},
                   counter{"queued_ns", c.queued_ns, "waits before work, altogether"},
                   counter{"worked_ns", c.worked_ns, "work, altogether"}});
}

void announce_counters(const compute::process_counters& c) {
    announce_counters("programs",
                      std::array{counter{"started", c.started, "processes of --exec"},
                                 counter{"ended", c.ended, "by themselves, or as they were told"},
                                 counter{"killed", c.killed, "by the server"},
                                 counter{"unasked", c.unasked, "lines that answered nothing"}});
}

}  // namespace sluice::cli
