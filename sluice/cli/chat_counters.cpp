// Names each counter once.
#include "sluice/cli/chat_counters.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::cli {
namespace {

using service::chat::counters;

struct name_of_counter {
    std::string_view name;
    std::uint64_t counters::* value;
    std::string_view words;
};

constexpr std::array names{
    name_of_counter{"members", &counters::members, "here now"},
    name_of_counter{"log_bytes", &counters::log_bytes, "kept in the logs of rooms now"},
    name_of_counter{"connected", &counters::connected, "members that were admitted"},
    name_of_counter{"refused", &counters::refused, "turned away: too many"},
    name_of_counter{"messages", &counters::messages, "said in rooms"},
    name_of_counter{"message_bytes", &counters::message_bytes, "of them, as they came"},
    name_of_counter{"deliveries", &counters::deliveries, "lines for members"},
    name_of_counter{"sent_bytes", &counters::sent_bytes, "taken by the kernel"},
    name_of_counter{"skipped", &counters::skipped, "lines that slow members missed"},
    name_of_counter{"whispers", &counters::whispers, "lines for one member"},
    name_of_counter{"commands", &counters::commands, "lines that began with a slash"},
    name_of_counter{"put_off", &counters::put_off, "waits of commands for another turn"},
    name_of_counter{"empty_lines", &counters::empty_lines, "dropped"},
    name_of_counter{"held_back", &counters::held_back, "waits for --rate, --command-rate"},
    name_of_counter{"names_refused", &counters::names_refused, "taken, unseen, or look-alikes"},
    name_of_counter{"rooms", &counters::rooms, "open now, a copy a shard"},
    name_of_counter{"rooms_refused", &counters::rooms_refused, "beyond --max-rooms"},
    name_of_counter{"private_lost", &counters::private_lost, "private lines beyond the limit"},
    name_of_counter{"too_slow", &counters::too_slow, "disconnected: the window passed them"},
    name_of_counter{"too_silent", &counters::too_silent,
                    "disconnected: took nothing before the deadline"},
    name_of_counter{"too_long", &counters::too_long, "lines beyond --max-line, dropped"},
    name_of_counter{"broken", &counters::broken, "connections that failed"},
};

}  // namespace

void announce_counters(const counters& c) {
    std::array<counter, names.size()> all;
    for (std::size_t i = 0; i < names.size(); ++i) {
        all[i] = {names[i].name, c.*names[i].value, names[i].words};
    }
    announce_counters("chat", all);
}

}  // namespace sluice::cli
