// Implements send_file, with a function per strategy.
#include "sluice/transfer/to_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/file.hpp"
#include "sluice/io/ops/send.hpp"
#include "sluice/io/ops/send_registered.hpp"
#include "sluice/io/ops/send_zero_copy.hpp"
#include "sluice/io/ops/sendfile.hpp"
#include "sluice/io/ops/splice.hpp"
#include "sluice/net/congestion.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/mapping.hpp"
#include "sluice/os/pipe.hpp"
#include "sluice/transfer/at_most.hpp"
#include "sluice/transfer/mapped_part.hpp"
#include "sluice/transfer/non_blocking.hpp"
#include "sluice/transfer/send_choice.hpp"

namespace sluice::transfer {
namespace {

using namespace std::chrono_literals;
using outcome = result<void>;

constexpr std::size_t send_buffer_size = std::size_t{256} << 10;
constexpr std::size_t send_pipe_size = std::size_t{1} << 20;
// A corked sendfile in steps of this size, with a wait after each that comes back short, moved 1.07
// to 1.18 times as much as one call for the whole file; steps of 128 KiB and of 4 MiB moved less.
constexpr std::size_t step_size = std::size_t{512} << 10;
// Bytes sent between two choices; a call of plain sendfile(2) ends earlier if the socket is full.
constexpr std::size_t choice_step = std::size_t{8} << 20;
// A peer that took so long for one of these keeps no pipe.
constexpr auto slow_piece = 1s;
// Bytes mapped at a time: so many that the cost of mapping does not count.
constexpr std::size_t send_window = std::size_t{32} << 20;

// A socket accepted on a wildcard address may be on loopback too; from this size on it pays to find
// out, in bytes.
constexpr std::uint64_t loopback_check_size = std::uint64_t{1} << 20;

/// While it lives, only full segments leave (tcp(7), TCP_CORK); its end sends the rest.
class cork {
 public:
    explicit cork(int socket) noexcept : socket_{socket} { set(1); }
    cork(const cork&) = delete;
    cork& operator=(const cork&) = delete;
    ~cork() { set(0); }

 private:
    void set(int on) noexcept {
        os::sys().setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    }
    int socket_;
};

/// Two copies by the CPU (page cache to buffer to the socket's memory), two calls per step.
coro::task<outcome> by_read_send(net::connection& to, file_part part, byte_counter& counter) {
    auto memory = mapping::create(send_buffer_size);
    if (!memory) co_return failure(memory.error());
    const mutable_bytes buffer{static_cast<std::byte*>(memory->data()), memory->size()};
    while (part.length > 0) {
        auto got = co_await io::read_at{
            to.engine(), part.file, buffer.first(at_most(part.length, buffer.size())), part.offset};
        if (!got) co_return failure(got.error());
        if (*got == 0) co_return failure(fault::ended);
        auto sent = co_await to.send_all(buffer.first(*got));
        if (!sent) co_return failure(sent.error());
        part.offset += *got;
        part.length -= *got;
        counter.add(*got);
    }
    co_return outcome{};
}

/// As read_send, for a connection whose layer encrypts each piece. A slow peer is sent smaller
/// pieces: its progress is seen when a piece has left.
coro::task<outcome> through_layer(net::connection& to, file_part part, byte_counter& counter) {
    constexpr std::size_t least = std::size_t{16} << 10;
    auto memory = mapping::create(send_buffer_size);
    if (!memory) co_return failure(memory.error());
    const mutable_bytes buffer{static_cast<std::byte*>(memory->data()), memory->size()};
    for (std::size_t step = 4 * least; part.length > 0;) {
        auto got = co_await io::read_at{to.engine(), part.file,
                                        buffer.first(at_most(part.length, step)), part.offset};
        if (!got) co_return failure(got.error());
        if (*got == 0) co_return failure(fault::ended);
        const auto begun = io::clock::now();
        auto sent = co_await to.send_all(buffer.first(*got));
        if (!sent) co_return failure(sent.error());
        part.offset += *got;
        part.length -= *got;
        counter.add(*got);
        const bool slow = io::clock::now() - begun > 1s;
        step = slow ? std::max(least, step / 2) : std::min(buffer.size(), step * 2);
    }
    co_return outcome{};
}

/// No copy by the CPU: the socket refers to the pages of the cache.
coro::task<outcome> by_sendfile(net::connection& to, file_part part, std::size_t step,
                                byte_counter& counter) {
    while (part.length > 0) {
        auto sent = co_await io::sendfile{to.engine(), to.fd(), part.file, part.offset,
                                          at_most(part.length, step)};
        if (!sent) co_return failure(sent.error());
        if (*sent == 0) co_return failure(fault::ended);
        part.offset += *sent;
        part.length -= *sent;
        counter.add(*sent);
    }
    co_return outcome{};
}

/// The same without small segments: plain sendfile ends each of its steps in one, which costs it
/// speed.
coro::task<outcome> by_corked_sendfile(net::connection& to, file_part part, byte_counter& counter) {
    const cork held{to.fd()};
    co_return co_await by_sendfile(to, part, step_size, counter);
}

/// By splice, to a corked socket. Leaves the pipe empty unless it fails.
coro::task<outcome> through_pipe(net::connection& to, file_part part, const pipe_ends& pipe,
                                 io::splice::waits_for from_file, byte_counter& counter) {
    while (part.length > 0) {
        auto filled = co_await io::splice{to.engine(),
                                          from_file,
                                          part.file,
                                          static_cast<std::int64_t>(part.offset),
                                          pipe.in.get(),
                                          io::splice::no_offset,
                                          at_most(part.length, pipe.capacity)};
        if (!filled) co_return failure(filled.error());
        if (*filled == 0) co_return failure(fault::ended);
        for (std::size_t left = *filled; left > 0;) {
            auto sent = co_await io::splice{to.engine(),
                                            io::splice::waits_for::target,
                                            pipe.out.get(),
                                            io::splice::no_offset,
                                            to.fd(),
                                            io::splice::no_offset,
                                            left};
            if (!sent) co_return failure(sent.error());
            if (*sent == 0) co_return failure_of(EPIPE);
            left -= *sent;
            counter.add(*sent);
        }
        part.offset += *filled;
        part.length -= *filled;
    }
    co_return outcome{};
}

/// No copy by the CPU: the pages pass through a pipe, as references. Two calls per pipe.
coro::task<outcome> by_splice(net::connection& to, file_part part, io::splice::waits_for from_file,
                              byte_counter& counter) {
    const auto pipe = pipe_ends::create(send_pipe_size);
    if (!pipe) co_return failure(pipe.error());
    const cork held{to.fd()};
    co_return co_await through_pipe(to, part, *pipe, from_file, counter);
}

/// One copy by the CPU, from the mapped page cache into the socket's memory; a call per step, and a
/// page fault per new page.
coro::task<outcome> by_mmap_send(net::connection& to, file_part part, byte_counter& counter) {
    while (part.length > 0) {
        const std::size_t length = at_most(part.length, send_window);
        auto mapped = mapped_part::create(part.file, part.offset, length);
        if (!mapped) co_return failure(mapped.error());
        for (const_bytes left = mapped->bytes(); !left.empty();) {
            const auto step =
                remaining_length(part.file, part.offset, std::min(left.size(), step_size));
            if (!step) co_return failure(step.error());
            auto sent = co_await io::send{to.engine(), to.fd(), left.first(*step), 0, true};
            if (!sent) co_return failure(mapped_error(sent.error()));
            left = left.subspan(*sent);
            part.offset += *sent;
            counter.add(*sent);
        }
        part.length -= length;
    }
    co_return outcome{};
}

/// Waits until the kernel has released the memory of all `pending` sends.
coro::task<outcome> wait_for_notifications(net::connection& to, std::uint32_t& pending) {
    while (pending > 0) {
        const auto freed = io::take_zero_copy_notes(to.fd());
        if (!freed) co_return failure(freed.error());
        pending -= std::min(pending, *freed);
        if (pending == 0) break;
        // Notifications come through the socket's error queue, for which no engine waits.
        if (auto slept = co_await io::sleep_for(to.engine(), 1ms); !slept) {
            co_return failure(slept.error());
        }
    }
    co_return outcome{};
}

/// No copy by the CPU where the card can gather: the mapped pages are pinned until the peer has
/// acknowledged them. On loopback the kernel copies after all, so nothing is gained there.
coro::task<outcome> by_zero_copy(net::connection& to, file_part part, byte_counter& counter) {
    const int on = 1;
    const int failed = os::sys().setsockopt(to.fd(), SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on);
    if (failed < 0) co_return failure_of(-failed);
    while (part.length > 0) {
        const std::size_t length = at_most(part.length, send_window);
        auto mapped = mapped_part::create(part.file, part.offset, length);
        if (!mapped) co_return failure(mapped.error());
        std::uint32_t pending = 0;
        outcome so_far;
        for (const_bytes left = mapped->bytes(); !left.empty();) {
            const auto step =
                remaining_length(part.file, part.offset, std::min(left.size(), step_size));
            if (!step) {
                so_far = failure(step.error());
                break;
            }
            auto sent = co_await io::send_zero_copy{to.engine(), to.fd(), left.first(*step)};
            // Too much is pinned already (ulimit -l, net.core.optmem_max).
            if (!sent && sent.error().is(ENOBUFS) && pending > 0) {
                so_far = co_await wait_for_notifications(to, pending);
                if (!so_far) break;
                continue;
            }
            if (!sent) {
                so_far = failure(mapped_error(sent.error()));
                break;
            }
            ++pending;
            left = left.subspan(*sent);
            part.offset += *sent;
            counter.add(*sent);
        }
        // After an error the mapping may go at once: the pages stay pinned.
        if (!so_far) co_return so_far;
        so_far = co_await wait_for_notifications(to, pending);
        if (!so_far) co_return so_far;
        part.length -= length;
    }
    co_return outcome{};
}

/// The registered buffers of a transfer, used in turn.
class send_buffers {
 public:
    // The most that may be in flight and not acknowledged.
    static constexpr std::size_t most = 4;

    explicit send_buffers(io::registered_pool& pool) noexcept : pool_{pool} {}

    /// Takes another buffer; false if there is none.
    bool grow() noexcept {
        if (count_ == most) return false;
        auto buffer = pool_.take();
        if (!buffer) return false;
        all_.at(count_++) = std::move(*buffer);
        return true;
    }
    /// The buffer that is being sent.
    [[nodiscard]] io::registered_buffer& now() noexcept { return all_.at(now_); }
    /// The buffer to fill meanwhile. A peer that acknowledges slowly may keep it busy: then another
    /// buffer is taken first.
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

/// Fills a buffer from the start of a part, once the kernel has released it.
coro::task<void> read_into(io::engine& engine, file_part part, io::registered_buffer& buffer,
                           result<std::size_t>& got) {
    const auto idle = co_await buffer.idle();
    if (!idle) {
        got = failure(idle.error());
        co_return;
    }
    const auto memory = buffer.bytes();
    got = co_await io::read_at{engine, part.file, memory.first(at_most(part.length, memory.size())),
                               part.offset, buffer.index()};
}

/// Too much is pinned already (RLIMIT_MEMLOCK), or this kind of socket does not support it.
bool must_be_copied(error e) noexcept {
    return e.is(ENOMEM) || e.is(ENOBUFS) || e.is(EOPNOTSUPP);
}

coro::task<outcome> send_filled(net::connection& to, const io::registered_buffer& from,
                                std::size_t length, byte_counter& counter) {
    for (std::size_t done = 0; done < length;) {
        auto sent = co_await io::send_registered{to.engine(), to.fd(), from, done, length - done};
        if (!sent && must_be_copied(sent.error())) {
            sent = co_await to.send(from.bytes().subspan(done, length - done));
        }
        if (!sent) co_return failure(sent.error());
        done += *sent;
        counter.add(*sent);
    }
    co_return outcome{};
}

/// One copy by the CPU, from the page cache into registered memory, which the socket refers to
/// until the peer has acknowledged it; on loopback the kernel copies it after all. Reads the next
/// part while it sends one.
coro::task<outcome> by_uring_read_send_zc(net::connection& to, file_part part,
                                          byte_counter& counter) {
    io::engine& engine = to.engine();
    if (engine.registered() == nullptr) co_return co_await by_read_send(to, part, counter);
    send_buffers buffers{*engine.registered()};
    if (!buffers.grow() || !buffers.grow()) co_return co_await by_read_send(to, part, counter);
    // No cork: it would hold back the end of a buffer until the next one comes.
    coro::scope reading{co_await coro::this_context()};
    result<std::size_t> got = 0;
    co_await read_into(engine, part, buffers.now(), got);
    while (part.length > 0) {
        if (!got) co_return failure(got.error());
        if (*got == 0) co_return failure(fault::ended);
        const std::size_t length = *got;
        part.offset += length;
        part.length -= length;
        if (part.length > 0) {
            auto begun = reading.spawn(read_into(engine, part, buffers.next(), got));
            if (!begun) got = failure(begun.error());
        }
        auto sent = co_await send_filled(to, buffers.now(), length, counter);
        if (!sent) reading.cancel();
        co_await reading.join();
        if (!sent) co_return sent;
        buffers.advance();
    }
    co_return outcome{};
}

/// The pipe of one transfer by_choice(), taken when a turn of splice comes.
class pipe_of_choice {
 public:
    pipe_of_choice() noexcept = default;
    pipe_of_choice(const pipe_of_choice&) = delete;
    pipe_of_choice& operator=(const pipe_of_choice&) = delete;
    ~pipe_of_choice() { drop(); }

    /// Null if as many as may be are taken, or there is no descriptor for one.
    [[nodiscard]] const pipe_ends* take() noexcept {
        if (pipe_) return &*pipe_;
        if (taken.fetch_add(1, relaxed) < most) {
            if (auto made = pipe_ends::create(send_pipe_size))
                return &pipe_.emplace(std::move(*made));
        }
        taken.fetch_sub(1, relaxed);
        return nullptr;
    }
    void drop() noexcept {
        if (!pipe_) return;
        pipe_.reset();
        taken.fetch_sub(1, relaxed);
    }

 private:
    // In this process: half of what a user may have without more rights (fs.pipe-user-pages-soft).
    static constexpr int most = 32;
    static inline std::atomic<int> taken;
    std::optional<pipe_ends> pipe_;
};

/// Sends with the strategy of send_turn_of_thread(), which may change within the file.
coro::task<outcome> by_choice(net::connection& to, file_part part, peer_kind kind,
                              byte_counter& counter) {
    send_turn& turns = send_turn_of_thread(kind);
    std::optional<cork> held;
    pipe_of_choice pipes;
    bool is_slow = false;
    while (part.length > 0) {
        const to_socket how = turns.now();
        const pipe_ends* pipe = nullptr;
        if (how == to_socket::splice && !is_slow) pipe = pipes.take();
        if (pipe == nullptr) pipes.drop();
        if (how == to_socket::sendfile) {
            held.reset();
        } else if (!held) {
            held.emplace(to.fd());
        }
        const file_part piece{part.file, part.offset, at_most(part.length, choice_step)};
        const auto begun = io::clock::now();
        outcome sent;
        if (pipe != nullptr) {
            sent = co_await through_pipe(to, piece, *pipe, io::splice::waits_for::none, counter);
        } else {
            sent = co_await by_sendfile(to, piece, held ? step_size : choice_step, counter);
        }
        if (!sent) co_return sent;
        is_slow = io::clock::now() - begun > slow_piece;
        turns.add(piece.length);
        part.offset += piece.length;
        part.length -= piece.length;
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
                                   byte_counter& counter) {
    constexpr std::size_t all = ~std::size_t{0};
    if (to.layer() != nullptr) co_return co_await through_layer(to, part, counter);
    // io_uring waits by itself; with O_NONBLOCK it would report EAGAIN instead.
    if (how == to_socket::uring_read_send_zc) {
        co_return co_await by_uring_read_send_zc(to, part, counter);
    }
    make_non_blocking(to.fd());
    auto kind = peer_kind::network;
    if (part.length >= loopback_check_size) {
        if (const auto local = net::address::local_of(to.fd())) {
            net::avoid_pacing_on_loopback(to.fd(), *local);
            if (local->is_loopback()) kind = peer_kind::loopback;
        }
        if (how == to_socket::automatic) co_return co_await by_choice(to, part, kind, counter);
    }
    switch (how) {
        case to_socket::read_send: co_return co_await by_read_send(to, part, counter);
        case to_socket::sendfile: co_return co_await by_sendfile(to, part, all, counter);
        case to_socket::splice:
            co_return co_await by_splice(to, part, io::splice::waits_for::none, counter);
        case to_socket::uring_splice:
            co_return co_await by_splice(to, part, io::splice::waits_for::kernel, counter);
        case to_socket::mmap_send: co_return co_await by_mmap_send(to, part, counter);
        case to_socket::zero_copy: co_return co_await by_zero_copy(to, part, counter);
        case to_socket::automatic:
        case to_socket::sendfile_cork:
        case to_socket::uring_read_send_zc: break;
    }
    co_return co_await by_corked_sendfile(to, part, counter);
}

}  // namespace sluice::transfer
