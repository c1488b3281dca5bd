// Names and descriptions of the counters of an HTTP file service.
#include "sluice/cli/files/http_counters.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::cli {
namespace {

using files::http_counters;

struct http_counter {
    std::string_view name;
    std::atomic<std::uint64_t> http_counters::* value;
    std::string_view description;
};

constexpr std::array http_counter_names{
    http_counter{"clients", &http_counters::clients, "connections"},
    http_counter{"requests", &http_counters::requests, "whose heads were whole"},
    http_counter{"transfers", &http_counters::transfers, "uploads and downloads, now"},
    http_counter{"stored", &http_counters::stored, "files that were put"},
    http_counter{"bytes_stored", &http_counters::bytes_stored, "of uploads, kept or not"},
    http_counter{"resumed", &http_counters::resumed, "uploads that went on after a cut"},
    http_counter{"fetched", &http_counters::fetched, "files, or parts of them, that were sent"},
    http_counter{"bytes_fetched", &http_counters::bytes_fetched, "of them"},
    http_counter{"removed", &http_counters::removed, "files"},
    http_counter{"lost", &http_counters::lost, "clients that left in the middle"},
    http_counter{"bad_requests", &http_counters::bad_requests, "no HTTP, or ambiguous"},
    http_counter{"large_heads", &http_counters::large_heads, "beyond --max-head"},
    http_counter{"slow_heads", &http_counters::slow_heads, "beyond --head-time"},
    http_counter{"slow_bodies", &http_counters::slow_bodies,
                 "beyond --body-time, or below --min-rate"},
    http_counter{"idle", &http_counters::idle, "closed after --idle-time"},
    http_counter{"too_large", &http_counters::too_large, "uploads beyond --max-size"},
    http_counter{"no_room", &http_counters::no_room,
                 "uploads beyond --quota, or what the disk has"},
    http_counter{"wrong_digests", &http_counters::wrong_digests,
                 "uploads that were not what was told"},
    http_counter{"listed", &http_counters::listed, "directories that were shown"},
    http_counter{"parts_waiting", &http_counters::parts_waiting, "uploads that wait to be resumed"},
    http_counter{"parts_expired", &http_counters::parts_expired, "beyond --keep-partial"},
    http_counter{"parts_crowded_out", &http_counters::parts_crowded_out, "beyond --max-partial"},
    http_counter{"cut_files", &http_counters::cut_files, "that shrank while they were sent"},
    http_counter{"failed", &http_counters::failed,
                 "answers that say it is our fault, and files not read to the end"},
};

}  // namespace

void announce_counters(const http_counters& c) {
    std::array<counter, http_counter_names.size()> all;
    for (std::size_t i = 0; i < http_counter_names.size(); ++i) {
        all[i] = {http_counter_names[i].name, (c.*http_counter_names[i].value).load(),
                  http_counter_names[i].description};
    }
    announce_counters("files over HTTP", all);
}

}  // namespace sluice::cli
