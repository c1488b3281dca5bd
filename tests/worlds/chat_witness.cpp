// Implements the checks of what a member of a simulated chat is told.
#include "tests/worlds/chat_witness.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace sluice::worlds {
namespace {

/// What stands between the two, if `text` begins and ends with them.
std::optional<std::string_view> between(std::string_view text, std::string_view before,
                                        std::string_view after) noexcept {
    if (text.size() < before.size() + after.size()) return std::nullopt;
    if (!text.starts_with(before) || !text.ends_with(after)) return std::nullopt;
    text.remove_prefix(before.size());
    text.remove_suffix(after.size());
    return text;
}

/// The number at the beginning of `text`, and what follows it.
std::optional<std::size_t> take_number(std::string_view& text) noexcept {
    std::size_t value = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (wrong != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

std::string_view first_word(std::string_view text) noexcept {
    return text.substr(0, text.find(' '));
}

}  // namespace

struct chat_witness::pattern {
    std::string_view before;
    std::string_view after;
    void (chat_witness::*heard)(std::string_view between);
};

void chat_witness::fail(std::string_view why) const {
    stage_.fail(fmt::format("speaker {} ({} in {}) was sent '{}', but {}",
                            me_ == nullptr ? 0 : me_->number, name_, room_, line_, why));
}

void chat_witness::begin(speaker& me) {
    me_ = &me;
    line_ = {};
    name_.clear();
    room_.clear();
    forget_room_before();
    asked_name_.clear();
    asked_room_.clear();
    asked_who_.clear();
    here_.clear();
    before_.clear();
    last_.clear();
    present_.clear();
    gaps_ = told_missed_ = 0;
    in_history_ = history_is_of_before_ = history_is_whole_ = said_too_much_ = told_to_go_ =
        heard_farewell_ = false;
}

void chat_witness::asks_name(const std::string& name) {
    me_->names.insert(name);
    record_.know(name);
    asked_name_ = name;
}

sim::virtual_time chat_witness::last_from(std::size_t who) const noexcept {
    const auto at = last_.find(who);
    return at == last_.end() ? 0 : at->second;
}

const speaker* chat_witness::unannounced(sim::virtual_time before) const noexcept {
    if (!rules_.announces_leaves) return nullptr;
    for (const std::size_t who : present_) {
        const speaker& each = record_.speakers()[who];
        if (each.left && each.left_at < before) return &each;
    }
    return nullptr;
}

void chat_witness::hear(std::string_view line) {
    line_ = line;
    require(!heard_farewell_, "the farewell is the last line");
    if (line.starts_with("* ")) return announcement(line);
    if (const auto said = between(line, "[", "")) {
        const auto end = said->find("]: ");
        require(end != std::string_view::npos, "nobody said that");
        const auto name = said->substr(0, end);
        const auto text = said->substr(end + 3);
        const auto from = between(name, "", " -> you");
        return from ? whisper(text) : message(name, text);
    }
    const auto done = between(line, "*", "*");
    const auto name_end = done ? done->find(" S") : std::string_view::npos;
    require(name_end != std::string_view::npos, "nobody said that");
    message(done->substr(0, name_end), done->substr(name_end + 1));
}

/// "S3.17 ...", line 17 of speaker 3.
void chat_witness::message(std::string_view name, std::string_view text) {
    require(!room_.empty(), "nothing is said before the welcome");
    std::string_view rest = text;
    std::optional<std::size_t> who;
    std::optional<std::size_t> number;
    if (rest.starts_with('S')) {
        rest.remove_prefix(1);
        who = take_number(rest);
        if (who && rest.starts_with('.')) {
            rest.remove_prefix(1);
            number = take_number(rest);
        }
    }
    require(number && *who < record_.speakers().size() &&
                *number < record_.speakers()[*who].lines.size(),
            "nobody said that");
    const speaker& by = record_.speakers()[*who];
    const speaker::line& said = by.lines[*number];
    require(text == said.text, fmt::format("what was said is '{}'", said.text));
    require(name.starts_with("Client ") || by.names.contains(std::string{name}),
            "its speaker was never called that");
    const bool is_before = said.room == room_before_ && said.room != room_;
    require(said.room == room_ || is_before, fmt::format("that was said in {}", said.room));
    if (!is_before) forget_room_before();
    // A client that has come back may hear what its former connection, whose end the server has
    // not noticed yet, had said.
    const bool is_former = name != name_ || !me_->complete;
    require(&by != me_ || in_history_ || is_former, "it is this member's own");
    if (in_history_) {
        require(history_left_ > 0 || !history_is_whole_, "the history was said to be shorter");
        if (history_left_ > 0) --history_left_;
    }
    if (is_before) return keep_order(by, *number, before_, false);
    keep_order(by, *number, here_, !in_history_);
    if (!in_history_ && name == by.own_name) present_.insert(by.number);
}

void chat_witness::keep_order(const speaker& by, std::size_t number, stay& here, bool counts) {
    heard_before& heard = here[by.number];
    // What a client said on its former connection may come after what it says on the next.
    if (!by.complete && number < heard.next) return;
    require(number >= heard.next, "that came before, or its speaker said it earlier");
    const auto& room = by.lines[number].room;
    const auto from = entered_at_ + rules_.settles_after;
    const bool heard_any = heard.next > 0;
    for (std::size_t i = heard.next; counts && by.complete && i < number; ++i) {
        const speaker::line& gap = by.lines[i];
        if (gap.room == room && (heard_any || gap.at >= from)) ++gaps_;
    }
    require(gaps_ <= told_missed_,
            fmt::format("{} lines are missing, and {} were said to be", gaps_, told_missed_));
    heard.next = number + 1;
    last_[by.number] = by.lines[number].at;
}

/// "W3 to m7", from speaker 3 for the member of that name.
void chat_witness::whisper(std::string_view text) {
    const auto to = text.rfind(" to ");
    require(text.starts_with('W') && to != std::string_view::npos, "nobody said that");
    require(me_->names.contains(std::string{text.substr(to + 4)}), "it is for somebody else");
}

void chat_witness::announcement(std::string_view line) {
    static constexpr std::array patterns{
        pattern{"* welcome, you are ", " here); /help says what you can do",
                &chat_witness::welcome},
        pattern{"* you are now ", "", &chat_witness::is_now},
        pattern{"* you are in room ", " here)", &chat_witness::entered},
        pattern{"* you are ", "; /nick NAME changes that", &chat_witness::is_called},
        pattern{"* you are ", " already", &chat_witness::ignored},
        pattern{"* in ", "", &chat_witness::who_is_here},
        pattern{"* rooms: ", "", &chat_witness::ignored},
        pattern{"* told ", "", &chat_witness::ignored},
        pattern{"* nobody here has that name; ", "", &chat_witness::ignored},
        pattern{"* the name ", "", &chat_witness::name_taken},
        pattern{"* no: ", "", &chat_witness::refused},
        pattern{"* the last ", " said here:", &chat_witness::history_begins},
        pattern{"* that was said before you came", "", &chat_witness::history_ends},
        pattern{"* you missed ", " message", &chat_witness::missed},
        pattern{"* you missed ", " messages", &chat_witness::missed},
        pattern{"* not so fast: ", "", &chat_witness::ignored},
        pattern{"* that was not said: ", "", &chat_witness::too_long},
        pattern{"* you have to go: ", "", &chat_witness::has_to_go},
        pattern{"* goodbye", "", &chat_witness::has_to_go},
        pattern{"* the server is going down", "", &chat_witness::farewell},
        pattern{"* ", " has joined", &chat_witness::has_joined},
        pattern{"* ", " has left", &chat_witness::has_left},
    };
    for (const pattern& each : patterns) {
        if (const auto found = between(line, each.before, each.after)) {
            return (this->*each.heard)(*found);
        }
    }
    const auto middle = line.find(" is now ");
    require(middle != std::string_view::npos, "no member may be told that");
    has_left(line.substr(2, middle - 2));
    has_joined(line.substr(middle + 8));
}

/// "Client 7 in lobby (3"
void chat_witness::welcome(std::string_view text) {
    require(room_.empty(), "it was welcome before");
    const auto in = text.find(" in ");
    require(text.starts_with("Client ") && in != std::string_view::npos, "that is no welcome");
    name_ = text.substr(0, in);
    me_->names.insert(name_);
    record_.give_number(std::string_view{name_}.substr(std::string_view{"Client "}.size()));
    room_ = first_word(text.substr(in + 4));
    entered_at_ = record_.now();
}

void chat_witness::is_now(std::string_view name) {
    require(name == asked_name_, "it asked for no such name");
    name_ = name;
    named_at_ = record_.now();
}

/// "kitchen (3"
void chat_witness::entered(std::string_view text) {
    const auto name = first_word(text);
    require(name == asked_room_, "it asked for no such room");
    room_before_ = std::exchange(room_, std::string{name});
    before_ = std::exchange(here_, {});
    present_.clear();
    history_is_of_before_ = in_history_;
    entered_at_ = record_.now();
}

/// No more lines of it can come.
void chat_witness::forget_room_before() noexcept {
    room_before_.clear();
    if (std::exchange(history_is_of_before_, false)) in_history_ = false;
}

void chat_witness::is_called(std::string_view name) {
    require(!asked_who_.empty(), "it did not ask");
    require(name == name_, "it is called something else");
    const auto asked = asked_who_.front();
    asked_who_.pop_front();
    if (me_->names.contains(std::string{name}) && !name.starts_with("Client ")) {
        record_.hold(*me_, name, named_at_, asked);
    }
    // Asked behind a change of name or room, it is answered behind it. So are all lines of the room
    // before.
    if (!asked_who_.empty()) return;
    asked_name_.clear();
    asked_room_.clear();
    forget_room_before();
}

/// "kitchen (3): alice, bob, Client 7"
void chat_witness::who_is_here(std::string_view text) {
    const auto colon = text.find("): ");
    require(colon != std::string_view::npos && first_word(text) == room_, "it is in another room");
    std::vector<std::string_view> names;
    for (auto rest = text.substr(colon + 3); !rest.empty();) {
        const auto end = std::min(rest.find(", "), rest.size());
        names.push_back(chat_record::likeness(rest.substr(0, end)));
        rest.remove_prefix(std::min(end + 2, rest.size()));
    }
    require(std::ranges::find(names, chat_record::likeness(name_)) != names.end(),
            "it is not among them");
    std::ranges::sort(names);
    require(std::ranges::adjacent_find(names) == names.end(), "two of them have the same name");
}

void chat_witness::refused(std::string_view text) {
    // The room that it is told to be in was one too many meanwhile.
    const auto back = text.find(" cannot be opened; you are in ");
    if (back == std::string_view::npos) return;
    require(room_ == asked_room_, "it asked for no room");
    room_ = text.substr(text.rfind(' ') + 1);
    forget_room_before();
    here_ = std::exchange(before_, {});
}

/// "alice is taken; choose ...", or "alice is taken: it looks like Alice, who ..."
void chat_witness::name_taken(std::string_view text) {
    require(!asked_name_.empty() && text.starts_with(asked_name_ + " is taken"),
            "it asked for no such name");
}

/// "line", "7 lines"
void chat_witness::history_begins(std::string_view text) {
    forget_room_before();
    require(!in_history_, "a history has begun already");
    const auto lines = text == "line" ? std::optional<std::size_t>{1} : take_number(text);
    require(lines && *lines > 0, "that is no number of lines");
    in_history_ = history_is_whole_ = true;
    history_left_ = *lines;
}

void chat_witness::history_ends(std::string_view text) {
    require(text.empty() && in_history_, "no history has begun");
    require(history_left_ == 0 || !history_is_whole_,
            fmt::format("{} lines of the history are missing", history_left_));
    in_history_ = history_is_of_before_ = false;
}

void chat_witness::missed(std::string_view text) {
    const auto lines = take_number(text);
    require(lines && text.empty() && *lines > 0, "that is no number of messages");
    told_missed_ += *lines;
    // They may be of the history, and its end, or a leave, among them.
    history_is_whole_ = false;
    present_.clear();
}

void chat_witness::too_long(std::string_view) {
    require(said_too_much_, "its lines are short enough");
}

void chat_witness::has_to_go(std::string_view) {
    told_to_go_ = true;
}

void chat_witness::farewell(std::string_view text) {
    require(text.empty(), "no member may be told that");
    heard_farewell_ = true;
}

void chat_witness::has_joined(std::string_view name) {
    require(record_.knows(name), "nobody is called that");
    require(name != me_->own_name || !me_->complete, "it is told of itself");
}

void chat_witness::has_left(std::string_view name) {
    has_joined(name);
    std::erase_if(present_,
                  [&](std::size_t who) { return record_.speakers()[who].own_name == name; });
}

}  // namespace sluice::worlds
