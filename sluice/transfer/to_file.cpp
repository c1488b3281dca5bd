// Implements receive_file, with a function per strategy.
#include "sluice/transfer/to_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include "sluice/base/sometimes.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/ops/file.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/io/ops/splice.hpp"
#include "sluice/os/mapping.hpp"
#include "sluice/transfer/at_most.hpp"
#include "sluice/transfer/non_blocking.hpp"
#include "sluice/transfer/reservation.hpp"

namespace sluice::transfer {
namespace {

using byte_count = result<std::uint64_t>;

constexpr std::size_t small_step = std::size_t{64} << 10;
constexpr std::size_t large_step = std::size_t{1} << 20;
constexpr std::size_t layer_step = std::size_t{256} << 10;

/// The bytes received so far, and the space for the next ones.
class progress {
 public:
    progress(const file_space& into, byte_counter& counter) noexcept
        : into_{into},
          counter_{counter},
          own_reservation_{into.file, into.reserve},
          reservation_{into.reserved != nullptr ? *into.reserved : own_reservation_} {}

    [[nodiscard]] result<void> begin() noexcept {
        if (into_.expected == 0) return {};
        return reservation_.cover(into_.offset + std::min(into_.expected, into_.most), false);
    }
    [[nodiscard]] std::uint64_t left() const noexcept { return into_.most - received_; }
    [[nodiscard]] std::uint64_t place() const noexcept { return into_.offset + received_; }
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
    /// Call it before `bytes` more are written.
    [[nodiscard]] result<void> reserve(std::size_t bytes) noexcept {
        return reservation_.cover(place() + bytes, true);
    }
    void add(std::size_t bytes) noexcept {
        received_ += bytes;
        counter_.add(bytes);
    }
    [[nodiscard]] bool is_behind() const noexcept {
        return into_.behind != nullptr && into_.behind->is_due(place());
    }
    [[nodiscard]] coro::task<result<void>> catch_up(io::engine& engine) {
        return into_.behind->go_to(engine, place());
    }
    /// Writes bytes that were received behind those before them.
    [[nodiscard]] coro::task<result<void>> write(io::engine& engine, const_bytes data) {
        if (auto reserved = reserve(data.size()); !reserved) co_return reserved;
        auto written = co_await io::write_all_at{engine, into_.file, data, place()};
        if (!written) co_return failure(written.error());
        add(data.size());
        if (is_behind()) co_return co_await catch_up(engine);
        co_return result<void>{};
    }
    [[nodiscard]] byte_count finish() noexcept {
        if (into_.reserved != nullptr) return received_;
        auto done = own_reservation_.finish(place());
        if (!done) return failure(done.error());
        return received_;
    }

 private:
    const file_space& into_;
    byte_counter& counter_;
    reservation own_reservation_;
    reservation& reservation_;
    std::uint64_t received_ = 0;
};

/// If `dried` is given, sets it to whether the socket is empty, and returns it; else false.
bool would_block(const net::connection& from, const file_space& into) noexcept {
    if (into.dried == nullptr) return false;
    *into.dried = !from.is_readable();
    return *into.dried;
}

/// Two copies by the CPU: the socket's memory to a user buffer, the buffer to the page cache. With
/// `full`, each write fills whole pages, so that no page is written twice.
coro::task<byte_count> by_recv_write(net::connection& from, file_space into, std::size_t step,
                                     bool full, byte_counter& counter) {
    auto memory = mapping::create(step);
    if (!memory) co_return failure(memory.error());
    const mutable_bytes buffer{static_cast<std::byte*>(memory->data()), step};
    progress so_far{into, counter};
    if (auto begun = so_far.begin(); !begun) co_return failure(begun.error());
    for (bool ended = false; !ended && so_far.left() > 0;) {
        // To the next multiple of a step, whatever the offset of the first byte.
        const std::size_t goal =
            at_most(so_far.left(), full ? step - (so_far.place() % step) : step);
        std::size_t held = 0;
        if (!full && would_block(from, into)) break;
        while (held < goal && (full || held == 0)) {
            auto got = co_await from.recv_into(buffer.subspan(held, goal - held));
            if (!got) co_return failure(got.error());
            held += *got;
            ended = *got == 0;
            if (ended) break;
        }
        if (held == 0) break;
        auto written = co_await so_far.write(from.engine(), buffer.first(held));
        if (!written) co_return failure(written.error());
    }
    co_return so_far.finish();
}

/// As recv-full, of what a layer decrypts. Its memory is the heap's, which is warm: a transfer may
/// end whenever the socket is empty, and begin again.
coro::task<byte_count> through_layer(net::connection& from, file_space into,
                                     byte_counter& counter) {
    // NOLINTNEXTLINE(*-owning-memory, *-avoid-c-arrays): memory that may be missing, not cleared
    const std::unique_ptr<std::byte[]> memory{new (std::nothrow) std::byte[layer_step]};
    if (memory == nullptr) co_return failure_of(ENOMEM);
    progress so_far{into, counter};
    if (auto begun = so_far.begin(); !begun) co_return failure(begun.error());
    for (bool ended = false; !ended && so_far.left() > 0;) {
        const mutable_bytes buffer{
            memory.get(), at_most(so_far.left(), layer_step - (so_far.place() % layer_step))};
        std::size_t held = 0;
        while (held < buffer.size()) {
            auto got = from.recv_now(buffer.subspan(held));
            if (!got && got.error().is(EAGAIN)) {
                ended = into.dried != nullptr;
                if (ended) *into.dried = true;
                if (ended || held > 0) break;
                got = co_await from.recv_into(buffer);
            }
            if (!got) co_return failure(got.error());
            ended = *got == 0;
            if (ended) break;
            held += *got;
        }
        if (held == 0) break;
        auto written = co_await so_far.write(from.engine(), buffer.first(held));
        if (!written) co_return failure(written.error());
    }
    co_return so_far.finish();
}

/// The pipe of a transfer: of shared pipes between take() and give_back(), or its own.
class pipe_lease {
 public:
    explicit pipe_lease(shared_pipes* from) noexcept : from_{from} {}
    pipe_lease(const pipe_lease&) = delete;
    pipe_lease& operator=(const pipe_lease&) = delete;
    /// Closes the pipe, which may hold bytes.
    ~pipe_lease() = default;

    /// Does nothing if it has a pipe. Errno of pipe2(2).
    [[nodiscard]] result<void> take() noexcept {
        if (pipe_) return {};
        auto taken = from_ != nullptr ? from_->take() : pipe_ends::create(large_step);
        if (!taken) return failure(taken.error());
        pipe_ = std::move(*taken);
        return {};
    }
    /// The pipe must be empty.
    void give_back() noexcept {
        if (from_ == nullptr || !pipe_) return;
        from_->give_back(std::move(*pipe_));
        pipe_.reset();
    }
    [[nodiscard]] const pipe_ends* operator->() const noexcept { return &*pipe_; }

 private:
    shared_pipes* from_;
    std::optional<pipe_ends> pipe_;
};

io::splice::waits_for writer_of(bool in_kernel) noexcept {
    return in_kernel ? io::splice::waits_for::kernel : io::splice::waits_for::none;
}

/// One copy by the CPU, from the socket's pages to those of the cache; the pipe between them holds
/// references. Three calls per megabyte.
coro::task<byte_count> by_splice(net::connection& from, file_space into, bool in_kernel,
                                 byte_counter& counter) {
    pipe_lease pipe{into.pipes};
    const auto to_file = writer_of(in_kernel);
    progress so_far{into, counter};
    if (auto begun = so_far.begin(); !begun) co_return failure(begun.error());
    while (so_far.left() > 0) {
        if (io::poll::poll_now(from.fd(), io::interest::in) == -EAGAIN) {
            pipe.give_back();
            if (would_block(from, into)) break;
            auto ready = co_await io::poll{from.engine(), from.fd(), io::interest::in};
            if (!ready) co_return failure(ready.error());
        }
        if (auto taken = pipe.take(); !taken) co_return failure(taken.error());
        auto filled = co_await io::splice{from.engine(),
                                          io::splice::waits_for::source,
                                          from.fd(),
                                          io::splice::no_offset,
                                          pipe->in.get(),
                                          io::splice::no_offset,
                                          at_most(so_far.left(), pipe->capacity)};
        if (!filled) co_return failure(filled.error());
        if (*filled == 0) break;
        if (auto reserved = so_far.reserve(*filled); !reserved) {
            co_return failure(reserved.error());
        }
        for (std::size_t left = *filled; left > 0;) {
            auto written = co_await io::splice{from.engine(),
                                               to_file,
                                               pipe->out.get(),
                                               io::splice::no_offset,
                                               into.file,
                                               static_cast<std::int64_t>(so_far.place()),
                                               left};
            if (!written) co_return failure(written.error());
            if (*written == 0) co_return failure_of(EIO);
            left -= *written;
            so_far.add(*written);
        }
        if (!so_far.is_behind()) continue;
        if (auto caught_up = co_await so_far.catch_up(from.engine()); !caught_up) {
            co_return failure(caught_up.error());
        }
    }
    pipe.give_back();
    co_return so_far.finish();
}

/// The result of filling a buffer.
struct filling {
    std::size_t bytes = 0;
    bool ended = false;   ///< no more bytes will come
    result<void> status;  ///< the error, if that is not the end of the stream
};

/// Receives until the buffer is full. Not with MSG_WAITALL: io_uring drops an error that follows a
/// part, and half a file would look complete.
coro::task<void> fill(net::connection& from, mutable_bytes buffer, filling& done) {
    while (done.bytes < buffer.size()) {
        auto got = co_await from.recv_into(buffer.subspan(done.bytes));
        if (!got) done.status = failure(got.error());
        done.ended = !got || *got == 0;
        if (done.ended) break;
        done.bytes += *got;
    }
}

/// Two copies by the CPU, of which io_uring may make one on a kernel thread during the other: it
/// writes a buffer while the next is filled, up to a multiple of its size.
coro::task<byte_count> by_uring_recv_write(net::connection& from, file_space into,
                                           byte_counter& counter) {
    io::registered_pool* pool = from.engine().registered();
    if (pool == nullptr) co_return co_await by_recv_write(from, into, large_step, true, counter);
    auto full = pool->take();
    auto next = pool->take();
    if (!full || !next) co_return co_await by_recv_write(from, into, large_step, true, counter);
    progress so_far{into, counter};
    if (auto begun = so_far.begin(); !begun) co_return failure(begun.error());
    // Bytes to receive after `held` bytes that are not written yet.
    const auto goal = [&](std::size_t held) {
        const std::size_t size = pool->limits().size;
        return at_most(so_far.left() - held, size - ((so_far.place() + held) % size));
    };
    coro::scope receiving{co_await coro::this_context()};
    filling got;
    co_await fill(from, full->bytes().first(goal(0)), got);
    while (got.bytes > 0) {
        const filling held = std::exchange(got, {.ended = got.ended, .status = got.status});
        if (!held.ended) {
            auto begun = receiving.spawn(fill(from, next->bytes().first(goal(held.bytes)), got));
            if (!begun) got.status = begun;
        }
        auto written = so_far.reserve(held.bytes);
        if (written) {
            auto done =
                co_await io::write_all_at{from.engine(), into.file, full->bytes().first(held.bytes),
                                          so_far.place(), full->index()};
            if (!done) written = failure(done.error());
        }
        if (written) so_far.add(held.bytes);
        if (written && so_far.is_behind()) written = co_await so_far.catch_up(from.engine());
        if (!written) receiving.cancel();
        co_await receiving.join();
        if (!written) co_return failure(written.error());
        std::swap(full, next);
    }
    if (!got.status) co_return failure(got.status.error());
    co_return so_far.finish();
}

}  // namespace

shared_pipes::user::user(shared_pipes& of) noexcept : of_{of} {
    const std::lock_guard lock{of_.mutex_};
    ++of_.users_;
}

shared_pipes::user::~user() {
    // Closed without the lock.
    decltype(of_.free_) closed;
    const std::lock_guard lock{of_.mutex_};
    if (--of_.users_ > 0) return;
    std::swap(closed, of_.free_);
    of_.count_ = 0;
}

result<pipe_ends> shared_pipes::take() noexcept {
    {
        const std::lock_guard lock{mutex_};
        sometimes(rare_path::files_pipe_shared, count_ > 0);
        if (count_ > 0) {
            pipe_ends taken = std::move(*free_[--count_]);
            free_[count_].reset();
            return taken;
        }
    }
    return pipe_ends::create(large_step);
}

void shared_pipes::give_back(pipe_ends pipe) noexcept {
    const std::lock_guard lock{mutex_};
    if (count_ < free_.size()) free_[count_++] = std::move(pipe);
}

std::string_view to_text(to_file how) noexcept {
    for (const auto& [name, strategy] : to_file_names) {
        if (strategy == how) return name;
    }
    return "?";
}

coro::task<result<std::uint64_t>> receive_file(to_file how, net::connection& from, file_space into,
                                               byte_counter& counter) {
    // What a layer decrypts is in no socket that the kernel could splice.
    if (from.layer() != nullptr) return through_layer(from, into, counter);
    // io_uring waits by itself; with O_NONBLOCK it would report EAGAIN instead.
    if (how == to_file::uring_recv_write) return by_uring_recv_write(from, into, counter);
    make_non_blocking(from.fd());
    switch (how) {
        case to_file::recv_write: return by_recv_write(from, into, small_step, false, counter);
        case to_file::recv_write_1m: return by_recv_write(from, into, large_step, false, counter);
        case to_file::recv_full: return by_recv_write(from, into, large_step, true, counter);
        case to_file::uring_splice: return by_splice(from, into, true, counter);
        case to_file::automatic:
        case to_file::splice:
        case to_file::uring_recv_write: break;
    }
    return by_splice(from, into, false, counter);
}

}  // namespace sluice::transfer
