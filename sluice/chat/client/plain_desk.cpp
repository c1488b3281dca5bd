// Passes on to a desk.
#include "sluice/chat/client/plain_desk.hpp"

namespace sluice::chat {

coro::task<result<std::optional<std::string>>> plain_desk::next_line() {
    const auto line = co_await desk_.next_line();
    if (!line) co_return failure(line.error());
    if (!*line) co_return std::nullopt;
    co_return std::string{**line};
}

coro::task<result<void>> plain_desk::show(std::string_view line) {
    co_return co_await desk_.show({}, line);
}

}  // namespace sluice::chat
