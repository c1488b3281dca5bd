// Names and descriptions of the counters of each service.
#include "sluice/cli/service_counters.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

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

void announce_counters(const chat::counters& c, std::string_view of) {
    announce_counters(
        of,
        std::array{
            counter{"members", c.members, "here now"},
            counter{"log_bytes", c.log_bytes, "kept in the logs of rooms now"},
            counter{"connected", c.connected, "members that were admitted"},
            counter{"refused", c.refused, "turned away: too many"},
            counter{"messages", c.messages, "said in rooms"},
            counter{"message_bytes", c.message_bytes, "of them, as they came"},
            counter{"deliveries", c.deliveries, "lines for members"},
            counter{"sent_bytes", c.sent_bytes, "taken by the kernel"},
            counter{"skipped", c.skipped, "lines that slow members missed"},
            counter{"whispers", c.whispers, "lines for one member"},
            counter{"commands", c.commands, "lines that began with a slash"},
            counter{"put_off", c.put_off, "waits of commands for another turn"},
            counter{"empty_lines", c.empty_lines, "dropped"},
            counter{"held_back", c.held_back, "waits for --rate, --command-rate"},
            counter{"names_refused", c.names_refused, "taken, unseen, or look-alikes"},
            counter{"rooms", c.rooms, "open now, a copy a shard"},
            counter{"rooms_refused", c.rooms_refused, "beyond --max-rooms"},
            counter{"private_lost", c.private_lost, "private lines beyond the limit"},
            counter{"too_slow", c.too_slow, "disconnected: the window passed them"},
            counter{"too_silent", c.too_silent, "disconnected: took nothing before the deadline"},
            counter{"too_long", c.too_long, "lines beyond --max-line, dropped"},
            counter{"strangers", c.strangers, "sent away: they speak HTTP or TLS"},
            counter{"broken", c.broken, "connections that failed"},
            counter{"no_memory", c.no_memory, "members ended, lines dropped for lack of it"}});
}

void announce_counters(const files::http_counters& c, std::string_view of) {
    announce_counters(
        of,
        std::array{counter{"clients", c.clients, "connections"},
                   counter{"requests", c.requests, "whose heads were whole"},
                   counter{"transfers", c.transfers, "uploads and downloads, now"},
                   counter{"stored", c.stored, "files that were put"},
                   counter{"bytes_stored", c.bytes_stored, "of uploads, kept or not"},
                   counter{"resumed", c.resumed, "uploads that went on after a cut"},
                   counter{"fetched", c.fetched, "files, or parts of them, that were sent"},
                   counter{"bytes_fetched", c.bytes_fetched, "of them"},
                   counter{"removed", c.removed, "files"},
                   counter{"lost", c.lost, "clients that left in the middle"},
                   counter{"bad_requests", c.bad_requests, "no HTTP, or ambiguous"},
                   counter{"other_hosts", c.other_hosts, "for a name that is not this server's"},
                   counter{"foreign_pages", c.foreign_pages, "writes by pages from elsewhere"},
                   counter{"forbidden", c.forbidden, "beyond --allow or the rights of an account"},
                   counter{"unknown", c.unknown, "requests with a wrong password or token"},
                   counter{"large_heads", c.large_heads, "beyond --max-head"},
                   counter{"slow_heads", c.slow_heads, "beyond --head-time"},
                   counter{"slow_bodies", c.slow_bodies, "beyond --body-time, or below --min-rate"},
                   counter{"idle", c.idle, "closed after --idle-time"},
                   counter{"too_large", c.too_large, "uploads beyond --max-size"},
                   counter{"no_room", c.no_space, "uploads beyond --quota, or what the disk has"},
                   counter{"wrong_digests", c.wrong_digests, "uploads that were not what was told"},
                   counter{"listed", c.listed, "directories that were shown"},
                   counter{"parts_waiting", c.parts_waiting, "uploads that wait to be resumed"},
                   counter{"parts_expired", c.parts_expired, "beyond --keep-partial"},
                   counter{"parts_crowded_out", c.parts_crowded_out, "beyond --max-partial"},
                   counter{"cut_files", c.cut_files, "that shrank while they were sent"},
                   counter{"failed", c.failed,
                           "answers that say it is our fault, and files not read to the end"}});
}

void announce_counters(const files::raw_counters& c, std::string_view of) {
    announce_counters(
        of, std::array{counter{"clients", c.clients, "connections"},
                       counter{"transfers", c.transfers, "that go on now"},
                       counter{"stored", c.stored, "files, those that were only counted included"},
                       counter{"bytes", c.bytes, "of them"},
                       counter{"lost", c.lost, "clients that left before the end"},
                       counter{"strangers", c.strangers, "refused: they speak HTTP or TLS"},
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

void announce_counters(const compute::compute_counters& c, std::string_view of) {
    announce_counters(
        of, std::array{counter{"at_once", c.at_once, "answers where the question was read"},
                       counter{"worked_on", c.worked_on, "answers after work"},
                       counter{"busy", c.busy, "refused: the queue was full"},
                       counter{"late", c.late, "refused after --deadline"},
                       counter{"failed", c.failed, "not answered: a program broke"},
                       counter{"too_long", c.too_long, "questions beyond --max-line"},
                       counter{"strangers", c.strangers, "closed: they speak HTTP or TLS"},
                       counter{"abandoned", c.abandoned, "not computed: the client had left"},
                       counter{"idle", c.idle, "connections closed after --idle-time"},
                       counter{"stalled", c.stalled, "connections closed after --stall-time"},
                       counter{"queued_ns", c.queued_ns, "waits before work, altogether"},
                       counter{"worked_ns", c.worked_ns, "work, altogether"}});
}

void announce_counters(const compute::process_counters& c, std::string_view of) {
    announce_counters(of,
                      std::array{counter{"started", c.started, "processes of --exec"},
                                 counter{"ended", c.ended, "by themselves, or as they were told"},
                                 counter{"killed", c.killed, "by the server"},
                                 counter{"unasked", c.unasked, "lines that answered nothing"}});
}

void announce_send_costs() {
    announce_costs("sends to this machine", transfer::peer_kind::loopback);
    announce_costs("sends to other machines", transfer::peer_kind::network);
}

}  // namespace sluice::cli
