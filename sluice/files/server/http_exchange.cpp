// Implements the HTTP connection: reads requests, calls the handlers, writes responses.
#include "sluice/files/server/http_exchange.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/files/server/http_conditions.hpp"
#include "sluice/files/server/pace.hpp"
#include "sluice/files/server/path.hpp"
#include "sluice/http/percent.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/io/ops/recv_now.hpp"
#include "sluice/net/lingering_close.hpp"

namespace sluice::files {
namespace {

using namespace std::chrono_literals;
using http::http_field;
using http::http_method;

// Bytes of responses to pipelined requests that are sent together.
constexpr std::size_t batch = std::size_t{16} * 1024;
// An unwanted body up to this size is read: that costs less than a new connection.
constexpr std::uint64_t small_body = std::uint64_t{64} * 1024;

mutable_bytes bytes_of(std::span<char> buffer) noexcept {
    return std::as_writable_bytes(buffer);
}

}  // namespace

// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): receive buffers are not cleared
http_exchange::http_exchange(http_service& service, model::session& client,
                             std::uint64_t number) noexcept
    : service_{service}, client_{client}, number_{number} {}

// One coroutine for all long waits: an idle connection holds the memory of each frame.
coro::task<void> http_exchange::serve(http_service& service, model::session& client,
                                      std::uint64_t number) {
    http_exchange x{service, client, number};
    for (;;) {
        if (x.in_ == 0) {
            auto sent = co_await x.flush();
            if (!sent) co_return;
            x.buffers_.reset();
            if (x.is_draining()) co_return;
            // Idle: the connection holds no buffers, and draining ends only this wait.
            const auto until = io::after(io::clock::now(), service.options().idle_time);
            auto read = x.first_bytes(until);
            read.set_context(client.drain_context());
            auto got = co_await read;
            if (!x.accept_first(got)) co_return;
        }
        auto read = co_await x.read_head();
        if (!read) break;
        co_await x.answer();
        if (x.lost_ || !x.keep_alive_) break;
        x.compact();
        if (x.out_.size() < batch) continue;
        auto sent = co_await x.flush();
        if (!sent) co_return;
    }
    if (!x.lost_) co_await x.flush_and_close();
}

bool http_exchange::accept_first(const result<std::size_t>& got) {
    if (!got && got.error() == fault::timed_out) service_.counting().idle.fetch_add(1, relaxed);
    if (!got || *got == 0) return false;
    buffers_ = lend_room();
    if (buffers_ == nullptr) return false;
    out_ = reply_text{buffers_->out};
    std::memcpy(buffers_->in.data(), first_.data(), *got);
    in_ = *got;
    return true;
}

void http_exchange::compact() noexcept {
    std::memmove(buffers_->in.data(), buffers_->in.data() + begin_, in_ - begin_);
    in_ -= std::exchange(begin_, 0);
}

void http_exchange::step_out() noexcept {
    if (buffers_ == nullptr || out_.size() > 0) return;
    std::unique_ptr<http_stub> stub{new (std::nothrow) http_stub};
    if (stub == nullptr) return;
    // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): an array without memory is no exception here
    stub->in.reset(new (std::nothrow) char[in_]);
    if (stub->in == nullptr) return;
    std::memcpy(stub->in.get(), buffers_->in.data(), in_);
    if (head_ > 0) {
        std::swap(stub->request, buffers_->request);
        std::swap(stub->path, buffers_->path);
        move_views(buffers_->in.data(), stub->in.get(), stub->request);
    }
    buffers_.reset();
    out_ = reply_text{{}};
    stub_ = std::move(stub);
}

bool http_exchange::step_in() noexcept {
    if (stub_ == nullptr) return buffers_ != nullptr;
    buffers_ = lend_room();
    if (buffers_ == nullptr) {
        lost_ = true;
        return false;
    }
    std::memcpy(buffers_->in.data(), stub_->in.get(), in_);
    std::swap(stub_->request, buffers_->request);
    std::swap(stub_->path, buffers_->path);
    move_views(stub_->in.get(), buffers_->in.data(), buffers_->request);
    out_ = reply_text{buffers_->out};
    stub_.reset();
    return true;
}

void http_exchange::move_views(const char* from, const char* to, http::http_request& r) noexcept {
    r.move_views(from, to);
    if (query_.data() != nullptr) query_ = {to + (query_.data() - from), query_.size()};
}

coro::task<result<std::size_t>> http_exchange::first_bytes(io::time_point until) {
    co_return co_await io::with_deadline(client_.engine(),
                                         client_.peer().recv_into(bytes_of(first_)), until);
}

result<std::size_t> http_exchange::read_now() noexcept {
    if (buffers_ == nullptr) return failure_of(ENOMEM);
    // The buffer is full: no caller waits for more bytes than it holds.
    if (in_ == buffers_->in.size()) return failure(fault::message_too_long);
    const int got =
        io::recv_now(client_.peer().fd(), bytes_of(std::span{buffers_->in}.subspan(in_)));
    if (got < 0) return failure(error::system(-got));
    in_ += static_cast<std::size_t>(got);
    return static_cast<std::size_t>(got);
}

coro::task<result<std::size_t>> http_exchange::recv(io::time_point until) {
    for (;;) {
        auto got = read_now();
        if (got || !got.error().is(EAGAIN)) co_return got;
        if (auto ready = co_await await_bytes(until); !ready) co_return failure(ready.error());
    }
}

coro::task<result<void>> http_exchange::await_bytes(io::time_point until) {
    if (const bool sent = co_await flush(); !sent) co_return failure(fault::cancelled);
    step_out();
    auto ready = co_await io::with_deadline(
        client_.engine(), io::poll{client_.engine(), client_.peer().fd(), io::interest::in}, until);
    if (!step_in()) co_return failure_of(ENOMEM);
    co_return ready;
}

coro::task<bool> http_exchange::read_head() {
    const auto& options = service_.options();
    http::http_head_scanner scanner{{.line = options.max_line, .head = options.max_head}};
    const auto until = io::after(io::clock::now(), options.head_time);
    // The buffers still hold an earlier request, of this client or another (http_room).
    buffers_->request.clear();
    buffers_->path.clear();
    query_ = {};
    names_folder_ = false;
    keep_alive_ = false;
    head_ = 0;
    for (;;) {
        const auto found = scanner.scan(buffered());
        if (!found) {
            refuse_head(found.error());
            co_return false;
        }
        if (*found) {
            head_ = **found;
            break;
        }
        auto got = co_await recv(until);
        if (!got && got.error() == fault::timed_out) {
            service_.counting().slow_heads.fetch_add(1, relaxed);
            body_done_ = false;
            refuse(408, "the head of a request did not come in time");
            co_return false;
        }
        if (!got) lost_ = true;
        if (!got || *got == 0) co_return false;
    }
    const auto parsed = http::parse_request(buffered().substr(0, head_), buffers_->request);
    if (!parsed) {
        refuse_head(parsed.error());
        co_return false;
    }
    begin_ = head_;
    co_return true;
}

void http_exchange::refuse_head(const http::http_refusal& why) {
    auto& counters = service_.counting();
    const bool too_large = why.status == 414 || why.status == 431;
    (too_large ? counters.large_heads : counters.bad_requests).fetch_add(1, relaxed);
    // The end of this request is not known.
    body_done_ = false;
    buffers_->request.is_old = false;
    // A response to HEAD has no body, even where the rest of the request is malformed.
    if (buffered().starts_with("HEAD ")) buffers_->request.method = http_method::head;
    refuse(why.status, why.why);
}

void http_exchange::take(std::size_t bytes) noexcept {
    begin_ += bytes;
    if (begin_ == in_) begin_ = in_ = head_;
}

coro::task<result<std::size_t>> http_exchange::read_more() {
    return recv(io::after(io::clock::now(), service_.options().body_time));
}

bool http_exchange::body_is_here() const noexcept {
    return body_done_ || !buffered().empty() ||
           io::poll::look(client_.peer().fd(), io::interest::in) == 0;
}

coro::task<result<std::size_t>> http_exchange::read_ahead() {
    return recv(io::never);
}

bool http_exchange::has_ended() noexcept {
    char byte = 0;
    const auto n = ::recv(client_.peer().fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

coro::task<result<void>> http_exchange::await_body() {
    if (request().expects_go_ahead) out_.add("HTTP/1.1 100 Continue\r\n\r\n");
    return await_bytes(io::after(io::clock::now(), service_.options().body_time));
}

bool http_exchange::parse_path() {
    const auto target = http::split_target(request().target);
    if (!target) {
        refuse(400, target.error());
        return false;
    }
    query_ = target->query;
    if (target->path == "*") {
        if (request().method == http_method::options) return true;
        refuse(400, "the target * is for OPTIONS alone");
        return false;
    }
    auto decoded = http::percent_decode(target->path);
    if (!decoded) {
        refuse(400, "a percent sign in a path is followed by two hexadecimal digits");
        return false;
    }
    // An encoded slash would split a name in two.
    if (std::ranges::count(*decoded, '/') != std::ranges::count(target->path, '/')) {
        refuse(400, "a name has no slash");
        return false;
    }
    decoded->erase(0, 1);
    names_folder_ = decoded->empty() || decoded->back() == '/';
    if (decoded->ends_with('/')) decoded->pop_back();
    buffers_->path = std::move(*decoded);
    if (names_folder_ && buffers_->path.empty()) {
        if (target->path == "/") return true;
        refuse(400, judge_path("/").why);
        return false;
    }
    const auto judged = judge_path(buffers_->path);
    switch (judged.fault) {
        case path_fault::none: return true;
        case path_fault::too_long: refuse(414, judged.why); return false;
        case path_fault::no_name: refuse(400, judged.why); return false;
        case path_fault::hidden: break;
    }
    const bool reads =
        request().method == http_method::get || request().method == http_method::head;
    if (reads) {
        refuse(404, "there is no such file");
    } else {
        refuse(403, judged.why);
    }
    return false;
}

std::string_view http_exchange::methods() const noexcept {
    return service_.options().allow_delete ? "GET, HEAD, PUT, DELETE, OPTIONS"
                                           : "GET, HEAD, PUT, OPTIONS";
}

// Not a coroutine: an upload that waits for its body holds the memory of each frame.
coro::task<void> http_exchange::answer() {
    service_.counting().requests.fetch_add(1, relaxed);
    keep_alive_ = request().keeps_alive;
    body_done_ = !request().chunked && request().length.value_or(0) == 0;
    // The request may move during a wait for its body.
    const auto method = request().method;
    const bool settled = parse_path();
    if (settled && method == http_method::put) return answer_put(*this);
    return answer_other(method, settled);
}

coro::task<void> http_exchange::answer_other(http_method method, bool settled) {
    if (!settled) co_return;
    if (const bool dropped = co_await drop_small_body(); !dropped) co_return;
    switch (method) {
        case http_method::get:
        case http_method::head: co_await answer_get(*this); break;
        case http_method::put: break;
        case http_method::remove:
            if (service_.options().allow_delete) {
                co_await answer_delete(*this);
                break;
            }
            [[fallthrough]];
        case http_method::other:
            reply(405).field("Allow", methods());
            end_with("this cannot be done to files here");
            break;
        case http_method::options:
            // Accept-Content-Range permits a PUT with Content-Range (docs/files.md).
            reply(204)
                .field("Allow", methods())
                .field("Accept-Ranges", "bytes")
                .field("Accept-Content-Range", "bytes");
            end_head();
            break;
        case http_method::unknown: refuse(501, "there is no such method here"); break;
    }
}

/// Drops the body of a method that has no use for it. False if the request ended here.
coro::task<bool> http_exchange::drop_small_body() {
    if (body_done_ || request().chunked || *request().length > small_body ||
        request().expects_go_ahead) {
        co_return true;
    }
    const auto& options = service_.options();
    transfer::moved counter;
    auto dropped = co_await at_pace<void>(
        client_.engine(), {.window = options.body_time, .bytes_a_second = options.min_rate},
        counter, [&] { return drop_body(counter); });
    if (dropped) {
        body_done_ = true;
    } else if (dropped.error() == fault::timed_out) {
        service_.counting().slow_bodies.fetch_add(1, relaxed);
        refuse(408, "the body of the request did not come in time");
    } else if (dropped.error() == fault::ended) {
        hang_up();
    } else {
        lost_ = true;
    }
    co_return body_done_;
}

coro::task<result<void>> http_exchange::drop_body(transfer::moved& counter) {
    for (auto left = *request().length; left > 0;) {
        if (buffered().empty()) {
            auto got = co_await read_more();
            if (!got) co_return failure(got.error());
            if (*got == 0) co_return failure(fault::ended);
        }
        const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffered().size()));
        take(now);
        counter.add(now);
        left -= now;
    }
    co_return result<void>{};
}

reply_text& http_exchange::reply(unsigned status) {
    out_.add("HTTP/1.1 ").add(status_line(status)).add("\r\nServer: sluice\r\nDate: ");
    return out_.add(remembered_date(wall_clock())).add("\r\n");
}

void http_exchange::end_head(std::uint64_t length) {
    out_.field("Content-Length", length);
    end_head();
}

void http_exchange::end_head() {
    keep_alive_ = keep_alive_ && body_done_ && !is_draining();
    if (!keep_alive_) {
        out_.add("Connection: close\r\n\r\n");
    } else if (request().is_old) {
        out_.add("Connection: keep-alive\r\n\r\n");
    } else {
        out_.add("\r\n");
    }
}

void http_exchange::end_with(std::string_view sentence) {
    out_.field("Content-Type", "text/plain; charset=utf-8");
    // Some sentences quote the client: no browser must render them as a page.
    out_.add(
        "X-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; sandbox\r\n");
    // A newline more, for terminals.
    end_head(sentence.size() + 1);
    if (request().method != http_method::head) out_.add(sentence).add("\n");
}

void http_exchange::refuse(unsigned status, std::string_view why) {
    reply(status);
    end_with(why);
}

void http_exchange::refuse_for(error why) {
    auto& counters = service_.counting();
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
        counters.no_room.fetch_add(1, relaxed);
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

coro::task<void> http_exchange::send_body(std::string body) {
    if (body.size() <= out_.left() / 2) {
        out_.add(body);
        co_return;
    }
    auto sent = co_await flush(true);
    if (!sent) co_return;
    auto& peer = client_.peer();
    auto all =
        co_await io::with_deadline(client_.engine(), peer.send_all(body),
                                   io::after(io::clock::now(), service_.options().body_time));
    if (!all) lost_ = true;
}

coro::task<bool> http_exchange::flush(bool more) {
    if (lost_) co_return false;
    if (out_.outgrown()) {
        // Part of a response is missing: the client could not find the beginning of the next one.
        service_.counting().failed.fetch_add(1, relaxed);
        lost_ = true;
        co_return false;
    }
    if (buffers_ == nullptr || out_.size() == 0) co_return true;
    for (auto left = as_bytes(out_.text()); !left.empty();) {
        const auto until = io::after(io::clock::now(), service_.options().body_time);
        auto sent = co_await io::with_deadline(
            client_.engine(), client_.peer().send(left, more ? MSG_MORE : 0), until);
        if (!sent) {
            if (sent.error() == fault::timed_out) {
                service_.counting().slow_bodies.fetch_add(1, relaxed);
                client_.peer().set_linger_reset();
            }
            lost_ = true;
            co_return false;
        }
        left = left.subspan(*sent);
    }
    out_.cut(0);
    co_return true;
}

coro::task<void> http_exchange::flush_and_close() {
    if (const bool sent = co_await flush(); !sent) co_return;
    buffers_.reset();
    co_await net::lingering_close(client_.peer(), client_.drain_context());
}

}  // namespace sluice::files
