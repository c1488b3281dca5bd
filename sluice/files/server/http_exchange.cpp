// Implements the order of an HTTP connection: reads a head, calls a handler, goes on or closes.
#include "sluice/files/server/http_exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "sluice/auth/authorization.hpp"
#include "sluice/base/relaxed.hpp"
#include "sluice/files/server/forwarded.hpp"
#include "sluice/files/server/path.hpp"
#include "sluice/http/percent.hpp"
#include "sluice/http/raw_head.hpp"

namespace sluice::files {
namespace {

using http::http_field;
using http::http_method;

// Bytes of responses to pipelined requests that are sent together.
constexpr std::size_t batch = std::size_t{16} * 1024;

}  // namespace

// One coroutine for all long waits: an idle connection holds the memory of each frame.
coro::task<void> http_exchange::serve(http_service& service, model::session& client,
                                      std::uint64_t number) {
    http_exchange x{service, client, number};
    for (;;) {
        if (x.is_idle() || x.out().size() >= batch) {
            auto sent = co_await x.flush();
            if (!sent) co_return;
        }
        if (x.is_idle()) {
            x.return_buffers();
            // Idle: the connection holds no buffers, and draining ends only this wait. A request
            // may be on its way then: it has a moment left.
            const io::duration idle_time = service.options().idle_time;
            const auto time = x.is_draining() ? x.last_call() : idle_time;
            auto read = x.first_bytes(io::after(io::clock::now(), time));
            if (!x.is_draining()) read.set_context(client.drain_context());
            auto got = co_await read;
            if (!got && x.begins_last_call(got.error())) continue;
            if (!x.accept_first(got)) co_return;
        }
        auto read = co_await x.read_head();
        if (read) co_await x.answer();
        x.count_answer();
        x.tell();
        if (!read || !x.goes_on()) break;
        x.compact();
    }
    co_await x.flush_and_close();
}

void http_exchange::count_answer() noexcept {
    if (status() == 0) return;
    auto& counters = service().counting().answered.mine();
    counters.count(request().method, status());
    counters.times.add(static_cast<std::uint64_t>((io::clock::now() - begun()).count()));
}

coro::task<bool> http_exchange::read_head() {
    const auto& options = service().options();
    http::http_head_scanner scanner{{.line = options.max_line, .head = options.max_head}};
    const auto until = io::after(io::clock::now(), options.head_time);
    begin_head();
    for (;;) {
        const auto found = scanner.scan(buffered());
        if (!found) {
            refuse_head(found.error());
            co_return false;
        }
        if (*found) {
            const auto parsed =
                http::parse_request(buffered().substr(0, **found), request_to_fill());
            if (!parsed) {
                refuse_head(parsed.error());
                co_return false;
            }
            end_head_at(**found);
            co_return true;
        }
        auto got = co_await read_more(until);
        if (!got && got.error() == fault::timed_out) {
            service().counting().slow_heads.fetch_add(1, relaxed);
            lose_body();
            response().refuse(408, "the head of a request did not come in time");
            co_return false;
        }
        if (!got) give_up();
        if (!got || *got == 0) co_return false;
    }
}

void http_exchange::refuse_head(const http::http_refusal& why) {
    auto& counters = service().counting();
    const bool too_large = why.status == 414 || why.status == 431;
    (too_large ? counters.large_heads : counters.bad_requests).fetch_add(1, relaxed);
    lose_body();
    auto& request = request_to_fill();
    request.is_old = false;
    // A response to HEAD has no body, even where the rest of the request is malformed.
    if (buffered().starts_with("HEAD ")) request.method = http_method::head;
    response().refuse(why.status, why.why);
}

void http_exchange::tell() noexcept {
    if (has_no_buffers()) return;
    const auto& about = told();
    // A client that leaves before it has sent a head made no request.
    if (!about.span || (request().target.empty() && about.status == 0)) return;
    about.span.end_as(model::access_kind::request, [this, &about] {
        const auto words = http::first_words(head());
        const std::string_view target = request().target;
        return model::access_event{
            .client = address_behind(about.span.client()),
            .user = who() == nullptr ? std::string_view{} : std::string_view{who()->who->name},
            .what = target.empty() ? words.target : target,
            .method = words.method,
            .referrer = http::raw_field(head(), "Referer"),
            .agent = http::raw_field(head(), "User-Agent"),
            .is_old = request().is_old,
            .status = about.status,
            .reason = lost() ? "broken off" : about.reason,
            .received = about.received,
            .sent = about.sent};
    });
}

bool http_exchange::parse_path() {
    const auto refuse = [this](unsigned status, std::string_view why) {
        response().refuse(status, why);
        return false;
    };
    const auto method = request().method;
    const auto target = http::split_target(request().target);
    if (!target) return refuse(400, target.error());
    if (target->path == "*") {
        if (method == http_method::options) return true;
        return refuse(400, "the target * is for OPTIONS alone");
    }
    auto decoded = http::percent_decode(target->path);
    if (!decoded) {
        return refuse(400, "a percent sign in a path is followed by two hexadecimal digits");
    }
    // An encoded slash would split a name in two.
    if (std::ranges::count(*decoded, '/') != std::ranges::count(target->path, '/')) {
        return refuse(400, "a name has no slash");
    }
    decoded->erase(0, 1);
    const bool is_folder = decoded->empty() || decoded->back() == '/';
    if (decoded->ends_with('/')) decoded->pop_back();
    set_path(std::move(*decoded), is_folder);
    if (is_folder && path().empty()) {
        if (target->path == "/") return true;
        return refuse(400, judge_path("/").why);
    }
    const auto judged = judge_path(path());
    switch (judged.fault) {
        case path_fault::none: return true;
        case path_fault::too_long: return refuse(414, judged.why);
        case path_fault::no_name: return refuse(400, judged.why);
        case path_fault::hidden: break;
    }
    const bool reads = method == http_method::get || method == http_method::head;
    return reads ? refuse(404, "there is no such file") : refuse(403, judged.why);
}

bool http_exchange::is_for_us() {
    const auto asked = http::authority_of(request());
    if (asked.empty() || service().origins().is_for_us(asked)) return true;
    service().counting().other_hosts.fetch_add(1, relaxed);
    response().refuse(421,
                      fmt::format("this server is not called {}; start it with --host and this "
                                  "name if it is",
                                  asked));
    return false;
}

bool http_exchange::is_known(const login& who) {
    if (who) {
        set_visitor(*who);
        return true;
    }
    service().counting().unknown.fetch_add(1, relaxed);
    told().reason = auth::in_brief(who.error());
    switch (who.error()) {
        case auth::login_refusal::none:
        case auth::login_refusal::wrong:
            response().reply(401).field("WWW-Authenticate", auth::basic_challenge);
            response().end_with("this name and password, or this token, are not known here");
            return false;
        case auth::login_refusal::too_often:
            response().reply(429).field("Retry-After", 60);
            response().end_with("too many attempts failed; try again in a minute");
            return false;
        case auth::login_refusal::busy:
            response().reply(503).field("Retry-After", 5);
            response().end_with("too many passwords wait to be checked; try again");
            return false;
        case auth::login_refusal::no_memory: break;
    }
    response().refuse(503, "there is no memory for this now; try again later");
    return false;
}

/// A visitor without a name is asked for one first.
void http_exchange::refuse_permission(std::string_view why) {
    service().counting().forbidden.fetch_add(1, relaxed);
    if (who() == nullptr) return response().refuse(403, why);
    if (!who()->who->name.empty())
        return response().refuse(403, "this account may not do that here");
    response().reply(401).field("WWW-Authenticate", auth::basic_challenge);
    response().end_with("say who you are: a name and a password, or a token");
}

/// Whether this method may be used on this path, by the page that asks: false if it was refused.
bool http_exchange::may_ask(http_method method) {
    const bool reads = method == http_method::get || method == http_method::head;
    if (reads && !allows(operation::read, path())) {
        refuse_permission({});
        return false;
    }
    if (method != http_method::put && method != http_method::remove) return true;
    if (service().origins().is_foreign(request())) {
        service().counting().foreign_pages.fetch_add(1, relaxed);
        response().refuse(403, "a page from elsewhere may change nothing here; --cors permits it");
        return false;
    }
    if (allows(method == http_method::put ? operation::upload : operation::remove, path())) {
        return true;
    }
    if (method == http_method::put || who() != nullptr) {
        refuse_permission("no files are taken here; start the server with --allow upload");
    } else {
        service().counting().forbidden.fetch_add(1, relaxed);
        response().reply(405).field("Allow", methods());
        response().end_with("nothing is removed here; start the server with --allow delete");
    }
    return false;
}

std::string http_exchange::methods() {
    std::string all = "GET, HEAD";
    if (allows(operation::upload, path())) all += ", PUT";
    if (allows(operation::remove, path())) all += ", DELETE";
    return all + ", OPTIONS";
}

void http_exchange::answer_options() {
    const auto all = methods();
    // Accept-Content-Range permits a PUT with Content-Range (docs/files.md).
    response()
        .reply(204)
        .field("Allow", all)
        .field("Accept-Ranges", "bytes")
        .field("Accept-Content-Range", "bytes");
    if (!service().origins().allowed_page(request()).empty()) {
        out()
            .field("Access-Control-Allow-Methods", all)
            .field("Access-Control-Allow-Headers",
                   "Authorization, Content-Digest, Content-Range, Content-Type, If-Match, "
                   "If-None-Match, "
                   "If-Unmodified-Since, Range, Repr-Digest, Want-Repr-Digest")
            .field("Access-Control-Max-Age", 600);
    }
    response().end_head();
}

result<net::address> http_exchange::address() {
    auto from = client().address();
    if (!from) return from;
    return address_behind(*from);
}

net::address http_exchange::address_behind(const net::address& from) {
    const auto& proxies = service().options().proxies;
    if (proxies.empty() || !net::covers(proxies, from)) return from;
    return forwarded_client(request(), proxies, from);
}

// Not a coroutine: an upload that waits for its body holds the memory of each frame.
coro::task<void> http_exchange::answer() {
    service().counting().requests.fetch_add(1, relaxed);
    begin_answer();
    visitors* const asked = service().options().who;
    if (asked == nullptr) return answer_known(nullptr);
    const auto from = address();
    if (!from) return answer_known(std::unexpected{auth::login_refusal::wrong});
    const auto found = asked->identify_now(request().field(http_field::authorization), *from,
                                           client().peer().layer());
    if (found) return answer_known(*found);
    return answer_after_login();
}

coro::task<void> http_exchange::answer_after_login() {
    const auto from = address();
    if (!from) co_return give_up();
    const auto found = co_await service().options().who->identify(
        engine(), std::string{request().field(http_field::authorization)}, *from);
    co_await answer_known(found);
}

// Nor is this one.
coro::task<void> http_exchange::answer_known(const login& who) {
    // The request may move during a wait for its body.
    const auto method = request().method;
    const bool settled = is_for_us() && is_known(who) && parse_path() && may_ask(method);
    if (settled && method == http_method::put) return answer_put(*this);
    return answer_other(method, settled);
}

coro::task<void> http_exchange::answer_other(http_method method, bool settled) {
    if (!settled) co_return;
    auto dropped = co_await body_.drop_if_small();
    if (!dropped) {
        if (dropped.error() == fault::timed_out) {
            response().refuse_slow_body();
        } else if (dropped.error() == fault::ended) {
            hang_up();
        } else {
            give_up();
        }
        co_return;
    }
    switch (method) {
        case http_method::get:
        case http_method::head: co_await answer_get(*this); break;
        case http_method::put: break;
        case http_method::remove: co_await answer_delete(*this); break;
        case http_method::other:
            response().reply(405).field("Allow", methods());
            response().end_with("this cannot be done to files here");
            break;
        case http_method::options: answer_options(); break;
        case http_method::unknown: response().refuse(501, "there is no such method here"); break;
    }
}

}  // namespace sluice::files
