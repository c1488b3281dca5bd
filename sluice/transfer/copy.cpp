// One function a strategy.
#include "sluice/transfer/copy.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "sluice/base/fd.hpp"
#include "sluice/base/mapping.hpp"
#include "sluice/base/pipe.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/ops/copy_range.hpp"
#include "sluice/io/ops/file.hpp"
#include "sluice/io/ops/sendfile.hpp"
#include "sluice/io/ops/splice.hpp"
#include "sluice/transfer/at_most.hpp"
#include "sluice/transfer/mapped_part.hpp"

namespace sluice::transfer {
namespace {

using outcome = result<void>;

constexpr std::size_t buffer_size = std::size_t{256} << 10;
constexpr std::size_t pipe_size = std::size_t{1} << 20;
constexpr std::size_t map_size = std::size_t{32} << 20;
// Between two looks at whether it is to go on.
constexpr std::size_t kernel_step = std::size_t{64} << 20;
constexpr std::size_t direct_step = std::size_t{1} << 20;
// What disks and file systems want of the addresses, places and lengths of O_DIRECT (open(2)).
constexpr std::size_t direct_alignment = 4096;
constexpr unsigned uring_depth = 8;

/// What is left of a part, from its front.
struct rest {
    copied_part what;
    moved& told;

    [[nodiscard]] bool empty() const noexcept { return what.length == 0; }
    [[nodiscard]] std::size_t next(std::size_t step) const noexcept {
        return at_most(what.length, step);
    }
    void take(std::size_t bytes) noexcept {
        what.offset += bytes;
        what.length -= bytes;
        told.add(bytes);
    }
};

/// Reads a step into `room` and writes it: how much that was.
coro::task<result<std::size_t>> read_and_write(io::engine& here, copied_part what,
                                               mutable_bytes room) {
    auto got = co_await io::read_at{here, what.from, room, what.offset};
    if (!got) co_return failure(got.error());
    if (*got == 0) co_return failure(fault::ended);
    co_return co_await io::write_all_at{here, what.to, room.first(*got), what.offset};
}

/// Two copies by the CPU, two calls a step.
coro::task<outcome> by_read_write(io::engine& here, rest left, std::size_t step) {
    auto memory = mapping::create(step);
    if (!memory) co_return failure(memory.error());
    const mutable_bytes room{static_cast<std::byte*>(memory->data()), memory->size()};
    while (!left.empty()) {
        auto done = co_await read_and_write(here, left.what, room.first(left.next(step)));
        if (!done) co_return failure(done.error());
        left.take(*done);
    }
    co_return outcome{};
}

/// One copy by the CPU, from the mapped page cache to the target's; a fault for each new page.
coro::task<outcome> by_mmap_write(io::engine& here, rest left) {
    while (!left.empty()) {
        auto mapped = mapped_part::create(left.what.from, left.what.offset, left.next(map_size));
        if (!mapped) co_return failure(mapped.error());
        for (const_bytes bytes = mapped->bytes(); !bytes.empty();) {
            const auto step =
                still_there(left.what.from, left.what.offset, std::min(bytes.size(), buffer_size));
            if (!step) co_return failure(step.error());
            auto written =
                co_await io::write_all_at{here, left.what.to, bytes.first(*step), left.what.offset};
            if (!written) co_return failure(of_mapped(written.error()));
            bytes = bytes.subspan(*step);
            left.take(*step);
        }
    }
    co_return outcome{};
}

/// One copy by the CPU: the kernel's own pipe takes references to the source's pages, 64 KiB at a
/// time, and writing them copies.
coro::task<outcome> by_sendfile(io::engine& here, rest left) {
    if (::lseek(left.what.to, static_cast<off_t>(left.what.offset), SEEK_SET) < 0) {
        co_return failure_of(errno);
    }
    while (!left.empty()) {
        auto sent = co_await io::sendfile{here,
                                          left.what.to,
                                          left.what.from,
                                          left.what.offset,
                                          left.next(kernel_step),
                                          io::sendfile::into::file};
        if (!sent) co_return failure(sent.error());
        if (*sent == 0) co_return failure(fault::ended);
        left.take(*sent);
    }
    co_return outcome{};
}

/// The same through a pipe of ours, which is larger; two calls a pipe.
coro::task<outcome> by_splice(io::engine& here, rest left) {
    using io::splice;
    auto pipe = pipe_ends::create(pipe_size);
    if (!pipe) co_return failure(pipe.error());
    while (!left.empty()) {
        auto filled = co_await splice{here,
                                      splice::waits_for::nobody,
                                      left.what.from,
                                      static_cast<std::int64_t>(left.what.offset),
                                      pipe->in.get(),
                                      splice::here,
                                      left.next(pipe->capacity)};
        if (!filled) co_return failure(filled.error());
        if (*filled == 0) co_return failure(fault::ended);
        for (std::size_t held = *filled; held > 0;) {
            auto drained = co_await splice{here,
                                           splice::waits_for::nobody,
                                           pipe->out.get(),
                                           splice::here,
                                           left.what.to,
                                           static_cast<std::int64_t>(left.what.offset),
                                           held};
            if (!drained) co_return failure(drained.error());
            if (*drained == 0) co_return failure_of(EIO);
            held -= *drained;
            left.take(*drained);
        }
    }
    co_return outcome{};
}

/// One copy by the CPU inside the kernel, or none where blocks are shared; one call a step.
coro::task<outcome> by_copy_range(io::engine& here, rest& left) {
    while (!left.empty()) {
        auto done = co_await io::copy_range{here, left.what.from, left.what.to, left.what.offset,
                                            left.next(kernel_step)};
        if (!done) co_return failure(done.error());
        if (*done == 0) co_return failure(fault::ended);
        left.take(*done);
    }
    co_return outcome{};
}

/// EXDEV, EOPNOTSUPP, ENOSYS, EINVAL: these two files cannot be copied in that way, another does
/// (copy_file_range(2)).
bool cannot_be_copied(error e) noexcept {
    return e.is(EXDEV) || e.is(EOPNOTSUPP) || e.is(ENOSYS) || e.is(EINVAL);
}

coro::task<outcome> automatically(io::engine& here, rest left) {
    auto done = co_await by_copy_range(here, left);
    if (done || !cannot_be_copied(done.error())) co_return done;
    co_return co_await by_read_write(here, left, buffer_size);
}

/// The same file without the page cache, and with a position of its own.
result<unique_fd> open_directly(int file, int access) noexcept {
    const auto path = fmt::format("/proc/self/fd/{}", file);
    unique_fd opened{::open(path.c_str(), access | O_DIRECT | O_CLOEXEC)};
    if (!opened) return failure_of(errno);
    return opened;
}

/// No copy by the CPU: the disk writes into our memory and reads out of it. What is behind the last
/// full block goes by way of the page cache.
coro::task<outcome> by_direct(io::engine& here, rest left) {
    if (left.what.offset % direct_alignment != 0) co_return failure_of(EINVAL);
    auto from = open_directly(left.what.from, O_RDONLY);
    if (!from) co_return failure(from.error());
    auto to = open_directly(left.what.to, O_WRONLY);
    if (!to) co_return failure(to.error());
    rest aligned = left;
    aligned.what.from = from->get();
    aligned.what.to = to->get();
    aligned.what.length -= aligned.what.length % direct_alignment;
    const std::uint64_t direct = aligned.what.length;
    auto done = co_await by_read_write(here, aligned, direct_step);
    if (!done) co_return done;
    left.what.offset += direct;
    left.what.length -= direct;
    co_return co_await by_read_write(here, left, direct_alignment);
}

/// Copies steps, whichever is next, until there is none.
coro::task<void> copy_steps(io::engine& here, rest& left, mutable_bytes room, outcome& said) {
    while (!left.empty() && said) {
        copied_part step = left.what;
        step.length = left.next(room.size());
        left.what.offset += step.length;
        left.what.length -= step.length;
        while (step.length > 0) {
            auto done =
                co_await read_and_write(here, step, room.first(at_most(step.length, room.size())));
            if (!done) {
                said = failure(done.error());
                co_return;
            }
            step.offset += *done;
            step.length -= *done;
            left.told.add(*done);
        }
    }
}

/// Two copies by the CPU, on io_uring with several steps under way, so that a disk reads and writes
/// at once and a call hands over many.
coro::task<outcome> by_uring(io::engine& here, rest left) {
    auto memory = mapping::create(uring_depth * buffer_size);
    if (!memory) co_return failure(memory.error());
    const mutable_bytes room{static_cast<std::byte*>(memory->data()), memory->size()};
    outcome said;
    coro::scope all{co_await coro::this_context()};
    for (unsigned i = 0; i < uring_depth; ++i) {
        auto begun =
            all.spawn(copy_steps(here, left, room.subspan(i * buffer_size, buffer_size), said));
        if (!begun && said) said = begun;
    }
    co_await all.join();
    co_return said;
}

}  // namespace

std::string_view to_text(copy how) noexcept {
    for (const auto& [name, strategy] : copy_names) {
        if (strategy == how) return name;
    }
    return "?";
}

coro::task<result<void>> copy_file(copy how, io::engine& here, copied_part what, moved& told) {
    rest left{.what = what, .told = told};
    switch (how) {
        case copy::read_write: co_return co_await by_read_write(here, left, buffer_size);
        case copy::mmap_write: co_return co_await by_mmap_write(here, left);
        case copy::sendfile: co_return co_await by_sendfile(here, left);
        case copy::splice: co_return co_await by_splice(here, left);
        case copy::copy_range: co_return co_await by_copy_range(here, left);
        case copy::direct: co_return co_await by_direct(here, left);
        case copy::uring: co_return co_await by_uring(here, left);
        case copy::automatic: break;
    }
    co_return co_await automatically(here, left);
}

}  // namespace sluice::transfer
