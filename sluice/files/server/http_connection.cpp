// Implements the HTTP connection: leases and gives back its buffers, receives, sends, closes.
#include "sluice/files/server/http_connection.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/base/relaxed.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/lingering_close.hpp"

namespace sluice::files {
namespace {

mutable_bytes bytes_of(std::span<char> buffer) noexcept {
    return std::as_writable_bytes(buffer);
}

}  // namespace

// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): receive buffers are not cleared
http_connection::http_connection(http_service& service, model::session& client,
                                 std::uint64_t number) noexcept
    : service_{service}, client_{client}, number_{number} {}

std::string_view http_connection::query() const noexcept {
    const std::string_view target = request().target;
    const auto mark = target.find('?');
    return mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
}

coro::task<result<std::size_t>> http_connection::first_bytes(io::time_point until) {
    co_return co_await io::with_deadline(engine(), client_.peer().recv_into(bytes_of(first_)),
                                         until);
}

bool http_connection::accept_first(const result<std::size_t>& got) {
    if (!got && got.error() == fault::timed_out) service_.counting().idle.fetch_add(1, relaxed);
    if (!got || *got == 0) return false;
    buffers_ = lease_buffers();
    if (buffers_ == nullptr) return false;
    out_ = reply_text{buffers_->out};
    std::memcpy(buffers_->in.data(), first_.data(), *got);
    in_ = static_cast<offset>(*got);
    return true;
}

void http_connection::begin_head() noexcept {
    buffers_->request.clear();
    buffers_->path.clear();
    status_ = 0;
    names_folder_ = false;
    keep_alive_ = false;
    was_asked_ = true;
    buffers_->visitor.reset();
    head_ = 0;
    buffers_->told = {.span = model::access_span{service_.options().access, client_}};
}

told_request& http_connection::unread_told() noexcept {
    static thread_local told_request unused;
    return unused;
}

void http_connection::set_path(std::string decoded, bool names_folder) noexcept {
    buffers_->path = std::move(decoded);
    names_folder_ = names_folder;
}

void http_connection::begin_answer() noexcept {
    keep_alive_ = request().keeps_alive;
    body_done_ = !request().chunked && request().length.value_or(0) == 0;
}

bool http_connection::decide_to_keep() noexcept {
    keep_alive_ = keep_alive_ && body_done_ && !is_draining();
    return keep_alive_;
}

void http_connection::compact() noexcept {
    std::memmove(buffers_->in.data(), buffers_->in.data() + begin_, in_ - begin_);
    in_ -= std::exchange(begin_, 0);
}

bool http_connection::allows(operation what, std::string_view path) const noexcept {
    if (who() != nullptr) return who()->allows(what, path);
    const auto& options = service_.options();
    if (options.who != nullptr) return false;
    return what == operation::read || options.allowed.allows(what, path);
}

void http_connection::take(std::size_t bytes) noexcept {
    begin_ += static_cast<offset>(bytes);
    if (begin_ == in_) begin_ = in_ = head_;
}

void http_connection::step_out() noexcept {
    if (buffers_ == nullptr || out_.size() > 0) return;
    std::unique_ptr<http_stub> stub{new (std::nothrow) http_stub};
    if (stub == nullptr) return;
    // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): an array without memory is no exception here
    stub->in.reset(new (std::nothrow) char[in_]);
    if (stub->in == nullptr) return;
    std::memcpy(stub->in.get(), buffers_->in.data(), in_);
    if (buffers_->told.span) {
        std::unique_ptr<told_request> told{new (std::nothrow) told_request{buffers_->told}};
        if (told == nullptr) return;
        stub->told = std::move(told);
    }
    stub->visitor = std::move(buffers_->visitor);
    if (head_ > 0) {
        std::swap(stub->request, buffers_->request);
        std::swap(stub->path, buffers_->path);
        stub->request.move_views(buffers_->in.data(), stub->in.get());
    }
    buffers_.reset();
    out_ = reply_text{{}};
    stub_ = std::move(stub);
}

bool http_connection::step_in() noexcept {
    if (stub_ == nullptr) return buffers_ != nullptr;
    buffers_ = lease_buffers();
    if (buffers_ == nullptr) {
        lost_ = true;
        return false;
    }
    std::memcpy(buffers_->in.data(), stub_->in.get(), in_);
    std::swap(stub_->request, buffers_->request);
    std::swap(stub_->path, buffers_->path);
    buffers_->request.move_views(stub_->in.get(), buffers_->in.data());
    if (stub_->told) buffers_->told = *stub_->told;
    buffers_->visitor = std::move(stub_->visitor);
    out_ = reply_text{buffers_->out};
    stub_.reset();
    return true;
}

result<std::size_t> http_connection::read_now() noexcept {
    if (buffers_ == nullptr) return failure_of(ENOMEM);
    // The buffer is full: no caller waits for more bytes than it holds.
    if (in_ == buffers_->in.size()) return failure(fault::message_too_long);
    auto got = client_.peer().recv_now(bytes_of(std::span{buffers_->in}.subspan(in_)));
    if (got) in_ += static_cast<offset>(*got);
    return got;
}

coro::task<result<std::size_t>> http_connection::read_more(io::time_point until) {
    for (;;) {
        auto got = read_now();
        if (got || !got.error().is(EAGAIN)) co_return got;
        if (auto ready = co_await await_bytes(until); !ready) co_return failure(ready.error());
    }
}

coro::task<result<void>> http_connection::await_bytes(io::time_point until) {
    if (const bool sent = co_await flush(); !sent) co_return failure(fault::cancelled);
    step_out();
    auto ready = co_await io::with_deadline(engine(), client_.peer().readable(), until);
    if (!step_in()) co_return failure_of(ENOMEM);
    co_return ready;
}

bool http_connection::has_ended() noexcept {
    std::byte byte{};
    const auto come = client_.peer().peek({&byte, 1});
    return come ? *come == 0 : !come.error().is(EAGAIN);
}

coro::task<bool> http_connection::flush(bool more) {
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
            engine(), client_.peer().send(left, more ? MSG_MORE : 0), until);
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

coro::task<void> http_connection::flush_and_close() {
    if (const bool sent = co_await flush(); !sent) co_return;
    buffers_.reset();
    co_await net::lingering_close(client_.peer(), client_.drain_context());
}

}  // namespace sluice::files
