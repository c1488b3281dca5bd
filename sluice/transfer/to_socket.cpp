// One function a strategy.
#include "sluice/transfer/to_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>

#include "sluice/base/mapping.hpp"
#include "sluice/base/pipe.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/file.hpp"
#include "sluice/io/ops/send.hpp"
#include "sluice/io/ops/send_registered.hpp"
#include "sluice/io/ops/send_zero_copy.hpp"
#include "sluice/io/ops/sendfile.hpp"
#include "sluice/io/ops/splice.hpp"
#include "sluice/net/congestion.hpp"
#include "sluice/transfer/at_most.hpp"
#include "sluice/transfer/mapped_part.hpp"
#include "sluice/transfer/non_blocking.hpp"

namespace sluice::transfer {
namespace {

using namespace std::chrono_literals;
using outcome = result<void>;

constexpr std::size_t send_buffer_size = std::size_t{256} << 10;
constexpr std::size_t send_pipe_size = std::size_t{1} << 20;
// A corked sendfile in steps of this much, waiting after each that comes back short, moved 1.07 to
// 1.18 times as much as one call for the whole file; steps of 128 KiB and of 4 MiB moved less.
constexpr std::size_t step_size = std::size_t{512} << 10;
// Of a mapped file at a time: large enough that mapping it costs nothing that counts.
constexpr std::size_t send_window = std::size_t{32} << 20;

// A socket that was accepted on every interface may have come by loopback all the same, and from
// this much on it pays to find out.
constexpr std::uint64_t worth_a_look = std::uint64_t{1} << 20;

/// Segments leave full while it lives (tcp(7), TCP_CORK), and what is left when it ends.
class cork {
 public:
    explicit cork(int socket) noexcept : socket_{socket} { set(1); }
    cork(const cork&) = delete;
    cork& operator=(const cork&) = delete;
    ~cork() { set(0); }

 private:
    void set(int on) noexcept { ::setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &on, sizeof on); }
    int socket_;
};

/// Two copies by the CPU (page cache to our memory, our memory to the socket's), two calls a step.
coro::task<outcome> by_read_send(net::connection& to, file_part part, moved& told) {
    auto memory = mapping::create(send_buffer_size);
    if (!memory) co_return failure(memory.error());
    const mutable_bytes room{static_cast<std::byte*>(memory->data()), memory->size()};
    while (part.length > 0) {
        auto got = co_await io::read_at{to.home(), part.file,
                                        room.first(at_most(part.length, room.size())), part.offset};
        if (!got) co_return failure(got.error());
        if (*got == 0) co_return failure(fault::ended);
        auto sent = co_await to.send_all(room.first(*got));
        if (!sent) co_return failure(sent.error());
        part.offset += *got;
        part.length -= *got;
        told.add(*got);
    }
    co_return outcome{};
}

/// No copy by the CPU but a card's own: the socket refers to the pages of the cache.
coro::task<outcome> by_sendfile(net::connection& to, file_part part, std::size_t step,
                                moved& told) {
    while (part.length > 0) {
        auto sent = co_await io::sendfile{to.home(), to.fd(), part.file, part.offset,
                                          at_most(part.length, step)};
        if (!sent) co_return failure(sent.error());
        if (*sent == 0) co_return failure(fault::ended);
        part.offset += *sent;
        part.length -= *sent;
        told.add(*sent);
    }
    co_return outcome{};
}

/// The same without a segment that leaves before it is full, which is what plain sendfile loses by:
/// each of its steps ends in a small one.
coro::task<outcome> by_corked_sendfile(net::connection& to, file_part part, moved& told) {
    const cork held{to.fd()};
    co_return co_await by_sendfile(to, part, step_size, told);
}

/// No copy by the CPU: the pages pass through a pipe, as references. Two calls a pipe.
coro::task<outcome> by_splice(net::connection& to, file_part part, bool in_kernel, moved& told) {
    auto pipe = pipe_ends::create(send_pipe_size);
    if (!pipe) co_return failure(pipe.error());
    const cork held{to.fd()};
    const auto from_file =
        in_kernel ? io::splice::waits_for::kernel : io::splice::waits_for::nobody;
    while (part.length > 0) {
        auto filled = co_await io::splice{to.home(),
                                          from_file,
                                          part.file,
                                          static_cast<std::int64_t>(part.offset),
                                          pipe->in.get(),
                                          io::splice::here,
                                          at_most(part.length, pipe->capacity)};
        if (!filled) co_return failure(filled.error());
        if (*filled == 0) co_return failure(fault::ended);
        for (std::size_t left = *filled; left > 0;) {
            auto sent = co_await io::splice{to.home(),
                                            io::splice::waits_for::target,
                                            pipe->out.get(),
                                            io::splice::here,
                                            to.fd(),
                                            io::splice::here,
                                            left};
            if (!sent) co_return failure(sent.error());
            if (*sent == 0) co_return failure_of(EPIPE);
            left -= *sent;
            told.add(*sent);
        }
        part.offset += *filled;
        part.length -= *filled;
    }
    co_return outcome{};
}

/// One copy by the CPU, from the mapped page cache into the socket's memory; one call a step, and a
/// fault for each new page.
coro::task<outcome> by_mmap_send(net::connection& to, file_part part, moved& told) {
    while (part.length > 0) {
        const std::size_t length = at_most(part.length, send_window);
        auto mapped = mapped_part::create(part.file, part.offset, length);
        if (!mapped) co_return failure(mapped.error());
        for (const_bytes left = mapped->bytes(); !left.empty();) {
            const auto step = still_there(part.file, part.offset, std::min(left.size(), step_size));
            if (!step) co_return failure(step.error());
            auto sent = co_await io::send{to.home(), to.fd(), left.first(*step), 0, true};
            if (!sent) co_return failure(of_mapped(sent.error()));
            left = left.subspan(*sent);
            part.offset += *sent;
            told.add(*sent);
        }
        part.length -= length;
    }
    co_return outcome{};
}

/// Until the memory of so many sends is free.
coro::task<outcome> wait_for_notes(net::connection& to, std::uint32_t& owed) {
    while (owed > 0) {
        const auto freed = io::take_zero_copy_notes(to.fd());
        if (!freed) co_return failure(freed.error());
        owed -= std::min(owed, *freed);
        if (owed == 0) break;
        // The notes come through a queue of errors, which no engine waits for.
        if (auto slept = co_await io::sleep_for(to.home(), 1ms); !slept) {
            co_return failure(slept.error());
        }
    }
    co_return outcome{};
}

/// No copy by the CPU where the card can gather: the mapped pages are pinned until the peer has
/// acknowledged them. On loopback the kernel copies after all, so that nothing is gained there.
coro::task<outcome> by_zero_copy(net::connection& to, file_part part, moved& told) {
    const int on = 1;
    if (::setsockopt(to.fd(), SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) < 0) {
        co_return failure_of(errno);
    }
    while (part.length > 0) {
        const std::size_t length = at_most(part.length, send_window);
        auto mapped = mapped_part::create(part.file, part.offset, length);
        if (!mapped) co_return failure(mapped.error());
        std::uint32_t owed = 0;
        outcome so_far;
        for (const_bytes left = mapped->bytes(); !left.empty();) {
            const auto step = still_there(part.file, part.offset, std::min(left.size(), step_size));
            if (!step) {
                so_far = failure(step.error());
                break;
            }
            auto sent = co_await io::send_zero_copy{to.home(), to.fd(), left.first(*step)};
            // Too much is pinned already (ulimit -l, net.core.optmem_max).
            if (!sent && sent.error().is(ENOBUFS) && owed > 0) {
                so_far = co_await wait_for_notes(to, owed);
                if (!so_far) break;
                continue;
            }
            if (!sent) {
                so_far = failure(of_mapped(sent.error()));
                break;
            }
            ++owed;
            left = left.subspan(*sent);
            part.offset += *sent;
            told.add(*sent);
        }
        // The mapping may go at once when the connection is of no more use: the pages are pinned.
        if (!so_far) co_return so_far;
        so_far = co_await wait_for_notes(to, owed);
        if (!so_far) co_return so_far;
        part.length -= length;
    }
    co_return outcome{};
}

/// The registered buffers of one transfer, used in turn.
class buffers_in_turn {
 public:
    // What may be under way and not acknowledged.
    static constexpr std::size_t most = 4;

    explicit buffers_in_turn(io::registered_pool& pool) noexcept : pool_{pool} {}

    /// One more, if there is one.
    bool grow() noexcept {
        if (count_ == most) return false;
        auto one = pool_.take();
        if (!one) return false;
        all_.at(count_++) = std::move(*one);
        return true;
    }
    /// The one that is sent.
    [[nodiscard]] io::registered_buffer& now() noexcept { return all_.at(now_); }
    /// The one to be filled meanwhile. Where a peer acknowledges slowly, the kernel may not be
    /// through with it; first there are more of them then.
    [[nodiscard]] io::registered_buffer& next() noexcept {
        if (now_ + 1 == count_ && !all_.front().is_idle()) grow();
        return all_.at((now_ + 1) % count_);
    }
    void advance() noexcept { now_ = (now_ + 1) % count_; }

 private:
    io::registered_pool& pool_;
    std::array<io::registered_buffer, most> all_;
    std::size_t count_ = 0;
    std::size_t now_ = 0;
};

/// Fills a buffer from the start of a part, once the kernel is through with it.
coro::task<void> read_into(io::engine& here, file_part part, io::registered_buffer& room,
                           result<std::size_t>& got) {
    const auto idle = co_await room.idle();
    if (!idle) {
        got = failure(idle.error());
        co_return;
    }
    const auto memory = room.bytes();
    got = co_await io::read_at{here, part.file, memory.first(at_most(part.length, memory.size())),
                               part.offset, room.index()};
}

/// Too much is pinned already (RLIMIT_MEMLOCK), or this kind of socket cannot do it.
bool must_be_copied(error e) noexcept {
    return e.is(ENOMEM) || e.is(ENOBUFS) || e.is(EOPNOTSUPP);
}

coro::task<outcome> send_filled(net::connection& to, const io::registered_buffer& from,
                                std::size_t length, moved& told) {
    for (std::size_t done = 0; done < length;) {
        auto sent = co_await io::send_registered{to.home(), to.fd(), from, done, length - done};
        if (!sent && must_be_copied(sent.error())) {
            sent = co_await to.send(from.bytes().subspan(done, length - done));
        }
        if (!sent) co_return failure(sent.error());
        done += *sent;
        told.add(*sent);
    }
    co_return outcome{};
}

/// One copy by the CPU, from the page cache into registered memory, which the socket refers to
/// until the peer has acknowledged it; on loopback the kernel copies it after all. The next part is
/// read while one is sent.
coro::task<outcome> by_uring_read_send_zc(net::connection& to, file_part part, moved& told) {
    io::engine& here = to.home();
    if (here.registered() == nullptr) co_return co_await by_read_send(to, part, told);
    buffers_in_turn turns{*here.registered()};
    if (!turns.grow() || !turns.grow()) co_return co_await by_read_send(to, part, told);
    // No cork: the end of a buffer would wait under it for the next one, and be owed that long.
    coro::scope reading{co_await coro::this_context()};
    result<std::size_t> got = 0;
    co_await read_into(here, part, turns.now(), got);
    while (part.length > 0) {
        if (!got) co_return failure(got.error());
        if (*got == 0) co_return failure(fault::ended);
        const std::size_t length = *got;
        part.offset += length;
        part.length -= length;
        if (part.length > 0) {
            auto begun = reading.spawn(read_into(here, part, turns.next(), got));
            if (!begun) got = failure(begun.error());
        }
        auto sent = co_await send_filled(to, turns.now(), length, told);
        if (!sent) reading.cancel();
        co_await reading.join();
        if (!sent) co_return sent;
        turns.advance();
    }
    co_return outcome{};
}

}  // namespace

std::string_view to_text(to_socket how) noexcept {
    for (const auto& [name, strategy] : to_socket_names) {
        if (strategy == how) return name;
    }
    return "?";
}

coro::task<result<void>> send_file(to_socket how, net::connection& to, file_part part,
                                   moved& told) {
    constexpr std::size_t all = ~std::size_t{0};
    // io_uring waits by itself; O_NONBLOCK would make it report EAGAIN instead.
    if (how == to_socket::uring_read_send_zc) {
        co_return co_await by_uring_read_send_zc(to, part, told);
    }
    make_non_blocking(to.fd());
    if (part.length >= worth_a_look) {
        if (const auto here = net::address::local_of(to.fd())) net::spare_pacing(to.fd(), *here);
    }
    switch (how) {
        case to_socket::read_send: co_return co_await by_read_send(to, part, told);
        case to_socket::sendfile: co_return co_await by_sendfile(to, part, all, told);
        case to_socket::splice: co_return co_await by_splice(to, part, false, told);
        case to_socket::uring_splice: co_return co_await by_splice(to, part, true, told);
        case to_socket::mmap_send: co_return co_await by_mmap_send(to, part, told);
        case to_socket::zero_copy: co_return co_await by_zero_copy(to, part, told);
        case to_socket::automatic:
        case to_socket::sendfile_cork:
        case to_socket::uring_read_send_zc: break;
    }
    co_return co_await by_corked_sendfile(to, part, told);
}

}  // namespace sluice::transfer
