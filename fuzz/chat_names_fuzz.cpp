// Names of members and rooms under any text: what is allowed can be shown and stays allowed.
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/chat/server/names.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::chat_names_target {
namespace {

void check_name(const chat::judged_name& judged, chat::judged_name (*judge)(std::string_view)) {
    if (!judged) {
        check(!judged.error().empty() && wire::is_printable(judged.error()), "a refusal says why");
        return;
    }
    const std::string& name = *judged;
    check(wire::is_printable(name), "a name that a terminal obeys");
    const auto size = chat::characters(name);
    check(size >= 1 && size <= chat::longest_name, "a name of a length that is none");
    check(judge(name) == judged, "a name that was allowed is another one, or is not");
    check(!chat::skeleton(name).empty(), "a name that looks like nothing");
    check(chat::same_letters(name, name), "a name differs from itself");
}

}  // namespace

/// A name, or two with a newline between them.
void examine(std::string_view text) {
    check_name(chat::judge_nick(text), chat::judge_nick);
    check_name(chat::judge_room(text), chat::judge_room);
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return;
    const auto one = chat::judge_nick(text.substr(0, end));
    const auto other = chat::judge_nick(text.substr(end + 1));
    if (!one || !other) return;
    check(chat::same_letters(*one, *other) == chat::same_letters(*other, *one), "one way alone");
    check(!chat::same_letters(*one, *other) || chat::skeleton(*one) == chat::skeleton(*other),
          "two names of the same letters do not look alike");
}

}  // namespace sluice::fuzz::chat_names_target
