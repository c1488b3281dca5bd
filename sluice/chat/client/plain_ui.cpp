// Implements plain_ui by forwarding to a terminal_ui.
#include "sluice/chat/client/plain_ui.hpp"

namespace sluice::chat {

coro::task<result<std::optional<std::string>>> plain_ui::next_line() {
    const auto line = co_await ui_.next_line();
    if (!line) co_return failure(line.error());
    if (!*line) co_return std::nullopt;
    co_return std::string{**line};
}

coro::task<result<void>> plain_ui::show(std::string_view line) {
    co_return co_await ui_.show({}, line);
}

}  // namespace sluice::chat
