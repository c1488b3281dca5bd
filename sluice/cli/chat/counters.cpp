// Names and descriptions of the counters of a chat.
#include "sluice/cli/chat/counters.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::cli {
namespace {

using chat::counters;

struct chat_counter {
    std::string_view name;
    owned_counter counters::* value;
    std::string_view description;
};

constexpr std::array chat_counters{
    chat_counter{"members", &counters::members, "here now"},
    chat_counter{"log_bytes", &counters::log_bytes, "kept in the logs of rooms now"},
    chat_counter{"connected", &counters::connected, "members that were admitted"},
    chat_counter{"refused", &counters::refused, "turned away: too many"},
    chat_counter{"messages", &counters::messages, "said in rooms"},
    chat_counter{"message_bytes", &counters::message_bytes, "of them, as they came"},
    chat_counter{"deliveries", &counters::deliveries, "lines for members"},
    chat_counter{"sent_bytes", &counters::sent_bytes, "taken by the kernel"},
    chat_counter{"skipped", &counters::skipped, "lines that slow members missed"},
    chat_counter{"whispers", &counters::whispers, "lines for one member"},
    chat_counter{"commands", &counters::commands, "lines that began with a slash"},
    chat_counter{"put_off", &counters::put_off, "waits of commands for another turn"},
    chat_counter{"empty_lines", &counters::empty_lines, "dropped"},
    chat_counter{"held_back", &counters::held_back, "waits for --rate, --command-rate"},
    chat_counter{"names_refused", &counters::names_refused, "taken, unseen, or look-alikes"},
    chat_counter{"rooms", &counters::rooms, "open now, a copy a shard"},
    chat_counter{"rooms_refused", &counters::rooms_refused, "beyond --max-rooms"},
    chat_counter{"private_lost", &counters::private_lost, "private lines beyond the limit"},
    chat_counter{"too_slow", &counters::too_slow, "disconnected: the window passed them"},
    chat_counter{"too_silent", &counters::too_silent,
                 "disconnected: took nothing before the deadline"},
    chat_counter{"too_long", &counters::too_long, "lines beyond --max-line, dropped"},
    chat_counter{"broken", &counters::broken, "connections that failed"},
    chat_counter{"no_memory", &counters::no_memory, "members ended, lines dropped for lack of it"},
};

}  // namespace

void announce_counters(const counters& c) {
    std::array<counter, chat_counters.size()> all;
    for (std::size_t i = 0; i < chat_counters.size(); ++i) {
        all[i] = {chat_counters[i].name, c.*chat_counters[i].value, chat_counters[i].description};
    }
    announce_counters("chat", all);
}

}  // namespace sluice::cli
