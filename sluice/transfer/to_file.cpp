// One function a strategy.
#include "sluice/transfer/to_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>

#include "sluice/base/mapping.hpp"
#include "sluice/base/pipe.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/ops/file.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/io/ops/splice.hpp"
#include "sluice/transfer/at_most.hpp"
#include "sluice/transfer/non_blocking.hpp"
#include "sluice/transfer/reservation.hpp"

namespace sluice::transfer {
namespace {

using how_much = result<std::uint64_t>;

constexpr std::size_t small_step = std::size_t{64} << 10;
constexpr std::size_t large_step = std::size_t{1} << 20;

/// What has come, and what may still come.
class progress {
 public:
    progress(const file_space& into, moved& told) noexcept
        : into_{into},
          told_{told},
          own_{into.file, into.reserve},
          room_{into.room != nullptr ? *into.room : own_} {}

    [[nodiscard]] result<void> begin() noexcept {
        if (into_.expected == 0) return {};
        return room_.cover(into_.offset + std::min(into_.expected, into_.most), false);
    }
    [[nodiscard]] std::uint64_t left() const noexcept { return into_.most - received_; }
    [[nodiscard]] std::uint64_t place() const noexcept { return into_.offset + received_; }
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
    /// Before so many more are written.
    [[nodiscard]] result<void> reserve(std::size_t bytes) noexcept {
        return room_.cover(place() + bytes, true);
    }
    void add(std::size_t bytes) noexcept {
        received_ += bytes;
        told_.add(bytes);
    }
    [[nodiscard]] bool is_behind() const noexcept {
        return into_.behind != nullptr && into_.behind->is_due(place());
    }
    [[nodiscard]] coro::task<result<void>> catch_up(io::engine& here) {
        return into_.behind->go_to(here, place());
    }
    [[nodiscard]] how_much finish() noexcept {
        if (into_.room != nullptr) return received_;
        auto done = own_.finish(place());
        if (!done) return failure(done.error());
        return received_;
    }

 private:
    const file_space& into_;
    moved& told_;
    reservation own_;
    reservation& room_;
    std::uint64_t received_ = 0;
};

/// Whether nothing can be received now, where that is not to be waited for; says so.
bool has_dried(const net::connection& from, const file_space& into) noexcept {
    if (into.dried == nullptr) return false;
    *into.dried = io::poll::look(from.fd(), io::interest::in) == -EAGAIN;
    return *into.dried;
}

/// Two copies by the CPU: the socket's memory to ours, ours to the page cache. With `full`, each
/// write fills whole pages, so that none has to be written twice.
coro::task<how_much> by_recv_write(net::connection& from, file_space into, std::size_t step,
                                   bool full, moved& told) {
    auto memory = mapping::create(step);
    if (!memory) co_return failure(memory.error());
    const mutable_bytes room{static_cast<std::byte*>(memory->data()), step};
    progress so_far{into, told};
    if (auto begun = so_far.begin(); !begun) co_return failure(begun.error());
    for (bool ended = false; !ended && so_far.left() > 0;) {
        // Up to the next multiple of a step, whatever the offset it began at.
        const std::size_t goal =
            at_most(so_far.left(), full ? step - (so_far.place() % step) : step);
        std::size_t held = 0;
        if (!full && has_dried(from, into)) break;
        while (held < goal && (full || held == 0)) {
            auto got = co_await from.recv_into(room.subspan(held, goal - held));
            if (!got) co_return failure(got.error());
            held += *got;
            ended = *got == 0;
            if (ended) break;
        }
        if (auto reserved = so_far.reserve(held); held > 0 && !reserved) {
            co_return failure(reserved.error());
        }
        auto written =
            co_await io::write_all_at{from.home(), into.file, room.first(held), so_far.place()};
        if (!written) co_return failure(written.error());
        so_far.add(held);
        if (!so_far.is_behind()) continue;
        if (auto caught_up = co_await so_far.catch_up(from.home()); !caught_up) {
            co_return failure(caught_up.error());
        }
    }
    co_return so_far.finish();
}

/// The pipes of a thread that no transfer has at the moment.
struct pipe_shelf {
    std::array<std::optional<pipe_ends>, 4> pipes;
    std::size_t idle = 0;
    std::size_t users = 0;
};
thread_local pipe_shelf shelf;

/// A pipe that a transfer has while bytes go through it. Between two of them another transfer on
/// this thread may have it, so that a peer that says nothing holds none; the last transfer on the
/// thread leaves none.
class shared_pipe {
 public:
    shared_pipe() noexcept = default;
    shared_pipe(const shared_pipe&) = delete;
    shared_pipe& operator=(const shared_pipe&) = delete;
    /// Closes it: there may be bytes in it.
    ~shared_pipe() = default;

    /// Errno of pipe2(2). Nothing if it has one.
    [[nodiscard]] result<void> take() noexcept {
        if (pipe_) return {};
        if (shelf.idle > 0) {
            pipe_ = std::exchange(shelf.pipes[--shelf.idle], std::nullopt);
            return {};
        }
        auto made = pipe_ends::create(large_step);
        if (!made) return failure(made.error());
        pipe_ = std::move(*made);
        return {};
    }
    /// It is empty.
    void give_back() noexcept {
        if (pipe_ && shelf.idle < shelf.pipes.size()) shelf.pipes[shelf.idle++] = std::move(pipe_);
        pipe_.reset();
    }
    [[nodiscard]] const pipe_ends* operator->() const noexcept { return &*pipe_; }

 private:
    shared_pipes kept_;
    std::optional<pipe_ends> pipe_;
};

io::splice::waits_for writer_of(bool in_kernel) noexcept {
    return in_kernel ? io::splice::waits_for::kernel : io::splice::waits_for::nobody;
}

/// One copy by the CPU, from the socket's pages to those of the cache; the pipe between them holds
/// references. Three calls a megabyte.
coro::task<how_much> by_splice(net::connection& from, file_space into, bool in_kernel,
                               moved& told) {
    shared_pipe pipe;
    const auto to_file = writer_of(in_kernel);
    progress so_far{into, told};
    if (auto begun = so_far.begin(); !begun) co_return failure(begun.error());
    while (so_far.left() > 0) {
        if (io::poll::look(from.fd(), io::interest::in) == -EAGAIN) {
            pipe.give_back();
            if (has_dried(from, into)) break;
            auto ready = co_await io::poll{from.home(), from.fd(), io::interest::in};
            if (!ready) co_return failure(ready.error());
        }
        if (auto taken = pipe.take(); !taken) co_return failure(taken.error());
        auto filled = co_await io::splice{from.home(),
                                          io::splice::waits_for::source,
                                          from.fd(),
                                          io::splice::here,
                                          pipe->in.get(),
                                          io::splice::here,
                                          at_most(so_far.left(), pipe->capacity)};
        if (!filled) co_return failure(filled.error());
        if (*filled == 0) break;
        if (auto reserved = so_far.reserve(*filled); !reserved) {
            co_return failure(reserved.error());
        }
        for (std::size_t left = *filled; left > 0;) {
            auto written = co_await io::splice{from.home(),
                                               to_file,
                                               pipe->out.get(),
                                               io::splice::here,
                                               into.file,
                                               static_cast<std::int64_t>(so_far.place()),
                                               left};
            if (!written) co_return failure(written.error());
            if (*written == 0) co_return failure_of(EIO);
            left -= *written;
            so_far.add(*written);
        }
        if (!so_far.is_behind()) continue;
        if (auto caught_up = co_await so_far.catch_up(from.home()); !caught_up) {
            co_return failure(caught_up.error());
        }
    }
    pipe.give_back();
    co_return so_far.finish();
}

/// What a buffer was filled with.
struct filling {
    std::size_t bytes = 0;
    bool ended = false;  ///< nothing more will come
    result<void> said;   ///< why, if that is not the end of the stream
};

/// Receives until the buffer is full. Not by MSG_WAITALL: io_uring forgets the error that comes
/// behind a part, and half a file would look like all of it.
coro::task<void> fill(net::connection& from, mutable_bytes room, filling& done) {
    while (done.bytes < room.size()) {
        auto got = co_await from.recv_into(room.subspan(done.bytes));
        if (!got) done.said = failure(got.error());
        done.ended = !got || *got == 0;
        if (done.ended) break;
        done.bytes += *got;
    }
}

/// Two copies by the CPU, of which io_uring may make one, on a thread of the kernel's, during the
/// other: it writes one buffer while the next is filled, up to a multiple of its size.
coro::task<how_much> by_uring_recv_write(net::connection& from, file_space into, moved& told) {
    io::registered_pool* pool = from.home().registered();
    if (pool == nullptr) co_return co_await by_recv_write(from, into, large_step, true, told);
    auto full = pool->take();
    auto next = pool->take();
    if (!full || !next) co_return co_await by_recv_write(from, into, large_step, true, told);
    progress so_far{into, told};
    if (auto begun = so_far.begin(); !begun) co_return failure(begun.error());
    // How much is to be received behind so many bytes that are not written yet.
    const auto goal = [&](std::size_t held) {
        const std::size_t size = pool->limits().size;
        return at_most(so_far.left() - held, size - ((so_far.place() + held) % size));
    };
    coro::scope receiving{co_await coro::this_context()};
    filling got;
    co_await fill(from, full->bytes().first(goal(0)), got);
    while (got.bytes > 0) {
        const filling held = std::exchange(got, {.ended = got.ended, .said = got.said});
        if (!held.ended) {
            auto begun = receiving.spawn(fill(from, next->bytes().first(goal(held.bytes)), got));
            if (!begun) got.said = begun;
        }
        auto written = so_far.reserve(held.bytes);
        if (written) {
            auto done =
                co_await io::write_all_at{from.home(), into.file, full->bytes().first(held.bytes),
                                          so_far.place(), full->index()};
            if (!done) written = failure(done.error());
        }
        if (written) so_far.add(held.bytes);
        if (written && so_far.is_behind()) written = co_await so_far.catch_up(from.home());
        if (!written) receiving.cancel();
        co_await receiving.join();
        if (!written) co_return failure(written.error());
        std::swap(full, next);
    }
    if (!got.said) co_return failure(got.said.error());
    co_return so_far.finish();
}

}  // namespace

shared_pipes::shared_pipes() noexcept {
    ++shelf.users;
}

shared_pipes::~shared_pipes() {
    if (--shelf.users > 0) return;
    while (shelf.idle > 0) shelf.pipes[--shelf.idle].reset();
}

std::string_view to_text(to_file how) noexcept {
    for (const auto& [name, strategy] : to_file_names) {
        if (strategy == how) return name;
    }
    return "?";
}

coro::task<result<std::uint64_t>> receive_file(to_file how, net::connection& from, file_space into,
                                               moved& told) {
    // io_uring waits by itself; O_NONBLOCK would make it report EAGAIN instead.
    if (how == to_file::uring_recv_write) return by_uring_recv_write(from, into, told);
    make_non_blocking(from.fd());
    switch (how) {
        case to_file::recv_write: return by_recv_write(from, into, small_step, false, told);
        case to_file::recv_write_1m: return by_recv_write(from, into, large_step, false, told);
        case to_file::recv_full: return by_recv_write(from, into, large_step, true, told);
        case to_file::uring_splice: return by_splice(from, into, true, told);
        case to_file::automatic:
        case to_file::splice:
        case to_file::uring_recv_write: break;
    }
    return by_splice(from, into, false, told);
}

}  // namespace sluice::transfer
