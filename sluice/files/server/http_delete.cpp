// Implements DELETE of a file or of a partial upload, under the conditions of the request.
#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

#include "sluice/files/server/http_conditions.hpp"
#include "sluice/files/server/http_exchange.hpp"
#include "sluice/files/server/http_service.hpp"
#include "sluice/files/server/store.hpp"

namespace sluice::files {

namespace {

coro::task<void> delete_part(http_exchange& x, std::string id) {
    auto& partials = x.files().partials();
    auto removed = co_await on_disk(x.service(), x.engine(), [&] { return partials.remove(id); });
    if (removed) {
        x.service().counting().removed.fetch_add(1, std::memory_order_relaxed);
        x.service().report(
            fmt::format("Removed the partial upload {} for [Client {}]", id, x.number()));
        x.response().reply(204);
        x.response().end_head();
    } else if (removed.error().is(EBUSY)) {
        x.response().refuse(409, "this upload is being received");
    } else if (removed.error().is(ENOENT)) {
        x.response().refuse(404, "no upload of this id waits to be resumed");
    } else {
        x.response().refuse_for(removed.error());
    }
}

}  // namespace

coro::task<void> answer_delete(http_exchange& x) {
    if (const auto id = http::query_value(x.query(), "part"); id && x.path().empty()) {
        co_await delete_part(x, std::string{*id});
        co_return;
    }
    if (x.names_folder()) {
        x.response().refuse(409, "only files are removed, not directories");
        co_return;
    }
    auto& files = x.files();
    const std::string path{x.path()};
    const auto there = files.status_of(path);
    if (!there) {
        x.response().refuse_for(there.error());
        co_return;
    }
    if (judge_conditions(x.request(), &*there, false) != condition::holds) {
        x.response().refuse(412, "the file is not in the state that was asked for");
        co_return;
    }
    const auto state = file_state::of(*there);
    auto removed =
        co_await on_disk(x.service(), x.engine(), [&] { return files.remove(path, state); });
    if (removed) {
        x.service().counting().removed.fetch_add(1, std::memory_order_relaxed);
        x.service().report(fmt::format("Removed {} for [Client {}]", path, x.number()));
        x.response().reply(204);
        x.response().end_head();
    } else if (removed.error().is(EISDIR) || removed.error().is(EINVAL)) {
        x.response().refuse(409, "only files are removed");
    } else if (removed.error().is(EEXIST)) {
        x.response().refuse(412, "the file has changed meanwhile");
    } else {
        x.response().refuse_change(removed.error());
    }
}

}  // namespace sluice::files
