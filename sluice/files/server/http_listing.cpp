// Implements GET and HEAD of a directory and of the list of partial uploads.
#include "sluice/files/server/http_listing.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/parse_number.hpp"
#include "sluice/base/relaxed.hpp"
#include "sluice/files/server/http_conditions.hpp"
#include "sluice/files/server/listing.hpp"
#include "sluice/files/server/listing_page.hpp"
#include "sluice/http/text.hpp"
#include "sluice/wire/json_string.hpp"

namespace sluice::files {
namespace {

// Bytes written and sent at a time.
constexpr std::size_t listing_piece = std::size_t{16} * 1024;

/// A listing and its length, made off the loop before the head of the response.
struct prepared {
    listing what;
    std::uint64_t length = 0;
};

class folder_answer {
 public:
    folder_answer(http_exchange& x, listing_writer::form form) : x_{x}, form_{form} {}

    coro::task<void> run() {
        if (!read_page()) co_return;
        auto made = co_await prepare();
        if (!made) {
            refuse_for(made.error());
            co_return;
        }
        if (made->what.page > made->what.pages()) {
            x_.response().refuse(
                404, fmt::format("there is no such page: the last one is {}", made->what.pages()));
            co_return;
        }
        const std::string tag = tag_of(made->what);
        const validators known{.tag = tag};
        switch (judge_conditions(x_.request(), &known, true)) {
            case condition::failed:
                x_.response().refuse(412, "the directory is not in the state that was asked for");
                co_return;
            case condition::not_modified:
                begin(304, tag);
                x_.response().end_head();
                co_return;
            case condition::holds: break;
        }
        x_.service().counting().listed.fetch_add(1, std::memory_order_relaxed);
        begin(200, tag).field("Content-Type",
                              is_json() ? "application/json" : "text/html; charset=utf-8");
        x_.response().end_head(made->length);
        if (x_.request().method == http::http_method::get) co_await send(std::move(*made));
    }

 private:
    [[nodiscard]] bool is_json() const noexcept { return form_ == listing_writer::form::json; }

    bool read_page() {
        const auto wanted = http::query_value(x_.query(), "page");
        if (!wanted) {
            page_ = is_json() ? 0 : 1;
            return true;
        }
        const auto number = parse_number(*wanted);
        if (number.value_or(0) == 0) {
            x_.response().refuse(400, "a page is a number from 1 on");
            return false;
        }
        page_ = *number;
        return true;
    }

    void refuse_for(error why) {
        if (why.is(ENOBUFS)) {
            x_.service().counting().failed.fetch_add(1, relaxed);
            x_.response().reply(503).field("Retry-After", 1);
            return x_.response().end_with(
                "too many large listings are being sent at the moment; try again");
        }
        // ENOTDIR: the path ends in a slash and names a file.
        x_.response().refuse_for(why);
    }

    coro::task<result<prepared>> prepare() {
        auto& service = x_.service();
        const std::string path{x_.path()};
        co_return co_await service.listers().run(
            x_.engine(), [this, &service, &path]() -> result<prepared> {
                auto contents = service.listings().get(path);
                if (!contents) return failure(contents.error());
                prepared made{.what = {.path = path.empty() ? "/" : "/" + path + "/",
                                       .holds = std::move(*contents),
                                       .page = page_,
                                       .may_upload = x_.allows(operation::upload, path),
                                       .may_delete = x_.allows(operation::remove, path)}};
                if (made.what.page <= made.what.pages()) {
                    made.length = listing_writer::length(made.what, form_);
                }
                return made;
            });
    }

    [[nodiscard]] std::string tag_of(const listing& what) const {
        return fmt::format("\"{:x}-{:x}-{}{}{}{}\"", what.holds->hash, page_form_hash(),
                           is_json() ? 'j' : 'p', what.page, what.may_upload ? "u" : "",
                           what.may_delete ? "d" : "");
    }

    reply_text& begin(unsigned status, std::string_view tag) {
        return x_.response()
            .reply(status)
            .add("ETag: W/")
            .add(tag)
            .add("\r\n")
            .field("Cache-Control", "no-cache")
            .field("Vary", "Accept")
            .add(
                "X-Content-Type-Options: nosniff\r\n"
                "Content-Security-Policy: frame-ancestors 'none'\r\n");
    }

    /// Formats each piece off the loop, after the one before it has been sent or buffered.
    coro::task<void> send(prepared made) {
        listing_writer all{std::move(made.what), form_};
        for (;;) {
            std::string text;
            auto more = co_await x_.service().listers().run(
                x_.engine(), [&]() -> result<bool> { return all.next(text, listing_piece); });
            if (!more) {
                // A reset, for the response is shorter than its Content-Length.
                x_.client().peer().set_linger_reset();
                x_.give_up();
                co_return;
            }
            if (!*more) co_return;
            if (text.size() > x_.out().left()) {
                auto sent = co_await x_.flush(true);
                if (!sent) co_return;
            }
            x_.out().add(text);
            x_.told().sent += text.size();
        }
    }

    http_exchange& x_;
    listing_writer::form form_;
    std::size_t page_ = 0;
};

}  // namespace

coro::task<void> answer_folder(http_exchange& x, bool json) {
    folder_answer answer{x, json ? listing_writer::form::json : listing_writer::form::page};
    co_await answer.run();
}

coro::task<void> answer_parts(http_exchange& x) {
    auto& partials = x.files().partials();
    auto found = co_await x.service().listers().run(
        x.engine(), [&partials]() -> result<std::vector<part_info>> { return partials.list(); });
    if (!found) {
        x.response().refuse_for(found.error());
        co_return;
    }
    std::string body = R"({"parts":[)";
    for (bool first = true; const auto& each : *found) {
        if (!std::exchange(first, false)) body += ',';
        body += R"({"id":)";
        wire::append_json_string(body, each.id);
        body += R"(,"path":)";
        wire::append_json_string(body, "/" + each.path);
        fmt::format_to(std::back_inserter(body),
                       R"(,"size":{},"total":{},"modified":"{}","active":{}}})", each.size,
                       each.total, timestamp(each.modified), each.active);
    }
    body += "]}\n";
    x.response()
        .reply(200)
        .field("Content-Type", "application/json")
        .field("Cache-Control", "no-store")
        .field("X-Content-Type-Options", "nosniff");
    x.response().end_head(body.size());
    if (x.request().method != http::http_method::get) co_return;
    auto answer = x.response();
    co_await answer.send_body(std::move(body));
}

}  // namespace sluice::files
