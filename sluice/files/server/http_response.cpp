// Implements the response writer: heads, refusals, and which status an error gets.
#include "sluice/files/server/http_response.hpp"

#include <fmt/format.h>

#include <cerrno>

#include "sluice/base/bytes.hpp"
#include "sluice/base/relaxed.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/files/server/http_conditions.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/http/request.hpp"
#include "sluice/http/status_line.hpp"
#include "sluice/io/deadline.hpp"

namespace sluice::files {
namespace {

/// Whether the client is told the id of its request: if the access log has it, too.
bool is_refusal(const told_request& told) noexcept {
    return told.span && told.status >= 400;
}

}  // namespace

reply_text& response_writer::reply(unsigned status) {
    auto& told = of_.told();
    told.status = status;
    of_.set_status(status);
    of_.out().add("HTTP/1.1 ").add(http::status_line(status)).add("\r\nServer: sluice\r\nDate: ");
    of_.out().add(remembered_date(wall_clock())).add("\r\n");
    add_allowed_page();
    if (is_refusal(told)) {
        of_.out().field("X-Request-Id", model::event_id_text{told.span.id()}.view());
    }
    return of_.out();
}

/// Lets a page that may ask read the response (Fetch, section 3.3).
void response_writer::add_allowed_page() {
    const auto page = of_.service().origins().allowed_page(of_.request());
    if (page.empty()) return;
    of_.out()
        .field("Access-Control-Allow-Origin", page)
        .field("Access-Control-Expose-Headers",
               "Accept-Ranges, Content-Range, ETag, Location, Repr-Digest, Retry-After")
        .field("Vary", "Origin");
}

void response_writer::end_head(std::uint64_t length) {
    of_.out().field("Content-Length", length);
    end_head();
}

void response_writer::end_head() {
    if (!of_.decide_to_keep()) {
        of_.out().add("Connection: close\r\n\r\n");
    } else if (of_.request().is_old) {
        of_.out().add("Connection: keep-alive\r\n\r\n");
    } else {
        of_.out().add("\r\n");
    }
}

void response_writer::end_with(std::string_view sentence) {
    of_.out().field("Content-Type", "text/plain; charset=utf-8");
    // Some sentences quote the client: no browser must render them as a page.
    of_.out().add(
        "X-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; sandbox\r\n");
    // For the operator to find it in the access log.
    const auto& told = of_.told();
    const model::event_id_text id{is_refusal(told) ? told.span.id() : model::event_id{}};
    constexpr std::string_view before_id = " (request ";
    const std::size_t id_size = id.view().empty() ? 0 : before_id.size() + id.view().size() + 1;
    // A newline more, for terminals.
    const std::size_t size = sentence.size() + id_size + 1;
    end_head(size);
    if (of_.request().method == http::http_method::head) return;
    of_.out().add(sentence);
    if (id_size > 0) of_.out().add(before_id).add(id.view()).add(")");
    of_.out().add("\n");
    of_.told().sent += size;
}

void response_writer::refuse(unsigned status, std::string_view why) {
    reply(status);
    end_with(why);
}

void response_writer::refuse_slow_body() {
    of_.service().counting().slow_bodies.fetch_add(1, relaxed);
    refuse(408, "the body of the request did not come in time");
}

void response_writer::refuse_for(error why) {
    auto& counters = of_.service().counting();
    if (why.is(ENOENT)) return refuse(404, "there is no such file");
    if (why.is(ENOTDIR)) return refuse(404, "there is no such file: a file is no directory");
    // The target of a link is not served.
    if (why.is(ELOOP) || why.is(ENXIO) || why.is(EXDEV)) {
        return refuse(403, "only files and directories can be had here");
    }
    if (why.is(EACCES) || why.is(EPERM)) {
        return refuse(403, "the server may not do that: its user lacks the permission");
    }
    if (why.is(E2BIG)) {
        return refuse(409, fmt::format("an upload makes at most {} directories; make those above "
                                       "them first, by uploads of their own",
                                       store::most_new_folders));
    }
    if (why.is(ENAMETOOLONG)) return refuse(414, "the path is too long");
    if (why.is(ENOSPC) || why.is(EDQUOT)) {
        counters.no_space.fetch_add(1, relaxed);
        sometimes(rare_path::files_full);
        return refuse(507, "there is no room for this file");
    }
    if (why.is(EFBIG)) {
        counters.too_large.fetch_add(1, relaxed);
        return refuse(413, "the server may not make files as large as this");
    }
    counters.failed.fetch_add(1, relaxed);
    if (why.is(EBUSY) || why.is(EMFILE) || why.is(ENFILE) || why.is(ENOMEM) ||
        why == fault::queue_full) {
        reply(503).field("Retry-After", 1);
        return end_with("the server has too much to do at the moment; try again");
    }
    refuse(500, fmt::format("the server could not do it: {}", why.message()));
}

void response_writer::refuse_change(error why) {
    if (why.is(EROFS)) return refuse(403, "nothing can be written here: the disk is read-only");
    refuse_for(why);
}

coro::task<void> response_writer::send_body(std::string body) {
    of_.told().sent += body.size();
    if (body.size() <= of_.out().left() / 2) {
        of_.out().add(body);
        co_return;
    }
    auto sent = co_await of_.flush(true);
    if (!sent) co_return;
    auto& peer = of_.client().peer();
    auto all =
        co_await io::with_deadline(of_.engine(), peer.send_all(body),
                                   io::after(io::clock::now(), of_.service().options().body_time));
    if (!all) of_.give_up();
}

}  // namespace sluice::files
