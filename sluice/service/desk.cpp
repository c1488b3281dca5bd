// Lines in, lines out.
#include "sluice/service/desk.hpp"

#include <utility>

#include "sluice/wire/text.hpp"

namespace sluice::service {

desk::desk(net::console* keyboard, net::console& screen, remarks beside, std::size_t max_line)
    : screen_{screen}, beside_{std::move(beside)} {
    if (keyboard != nullptr) lines_.emplace(*keyboard, wire::framing::line, max_line);
}

coro::task<result<std::optional<std::string_view>>> desk::next_line() {
    if (!lines_) co_return std::nullopt;
    auto found = co_await lines_->next();
    if (!found) co_return failure(found.error());
    if (!*found) co_return std::nullopt;
    if (beside_.answered) beside_.answered();
    co_return (*found)->text;
}

coro::task<result<void>> desk::show(std::string_view before, std::string_view text) {
    shown_.assign(before);
    wire::append_printable(shown_, text);
    shown_ += '\n';
    auto written = co_await screen_.send_all(shown_);
    if (!written) co_return failure(written.error());
    co_return result<void>{};
}

void desk::note(std::string_view what) const {
    if (beside_.note) beside_.note(what);
}

void desk::complain(std::string_view what) const {
    if (beside_.complaint) beside_.complaint(what);
}

void desk::prompt() const {
    if (beside_.prompt) beside_.prompt();
}

}  // namespace sluice::service
