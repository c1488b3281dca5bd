// Implements copy_file, with a function per strategy.
#include "sluice/transfer/copy.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "sluice/coro/scope.hpp"
#include "sluice/io/ops/copy_range.hpp"
#include "sluice/io/ops/file.hpp"
#include "sluice/io/ops/sendfile.hpp"
#include "sluice/io/ops/splice.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/mapping.hpp"
#include "sluice/os/pipe.hpp"
#include "sluice/transfer/at_most.hpp"
#include "sluice/transfer/mapped_part.hpp"

namespace sluice::transfer {
namespace {

using outcome = result<void>;

constexpr std::size_t buffer_size = std::size_t{256} << 10;
constexpr std::size_t pipe_size = std::size_t{1} << 20;
constexpr std::size_t map_size = std::size_t{32} << 20;
// Bytes per call; a cancellation takes effect between calls.
constexpr std::size_t kernel_step = std::size_t{64} << 20;
constexpr std::size_t direct_step = std::size_t{1} << 20;
// Alignment of addresses, offsets and lengths that O_DIRECT requires (open(2)), in bytes.
constexpr std::size_t direct_alignment = 4096;
constexpr unsigned uring_depth = 8;

/// The rest of a part.
struct rest {
    copied_part what;
    byte_counter& counter;

    [[nodiscard]] bool empty() const noexcept { return what.length == 0; }
    [[nodiscard]] std::size_t next(std::size_t step) const noexcept {
        return at_most(what.length, step);
    }
    void take(std::size_t bytes) noexcept {
        what.offset += bytes;
        what.length -= bytes;
        counter.add(bytes);
    }
};

/// Reads a step into `buffer` and writes it; returns its size.
coro::task<result<std::size_t>> read_and_write(io::engine& engine, copied_part what,
                                               mutable_bytes buffer) {
    auto got = co_await io::read_at{engine, what.from, buffer, what.offset};
    if (!got) co_return failure(got.error());
    if (*got == 0) co_return failure(fault::ended);
    co_return co_await io::write_all_at{engine, what.to, buffer.first(*got), what.offset};
}

/// Two copies by the CPU, two calls per step.
coro::task<outcome> by_read_write(io::engine& engine, rest left, std::size_t step) {
    auto memory = mapping::create(step);
    if (!memory) co_return failure(memory.error());
    const mutable_bytes buffer{static_cast<std::byte*>(memory->data()), memory->size()};
    while (!left.empty()) {
        auto done = co_await read_and_write(engine, left.what, buffer.first(left.next(step)));
        if (!done) co_return failure(done.error());
        left.take(*done);
    }
    co_return outcome{};
}

/// One copy by the CPU, from the mapped page cache to the target's; a page fault per new page.
coro::task<outcome> by_mmap_write(io::engine& engine, rest left) {
    while (!left.empty()) {
        auto mapped = mapped_part::create(left.what.from, left.what.offset, left.next(map_size));
        if (!mapped) co_return failure(mapped.error());
        for (const_bytes bytes = mapped->bytes(); !bytes.empty();) {
            const auto step = remaining_length(left.what.from, left.what.offset,
                                               std::min(bytes.size(), buffer_size));
            if (!step) co_return failure(step.error());
            auto written = co_await io::write_all_at{engine, left.what.to, bytes.first(*step),
                                                     left.what.offset};
            if (!written) co_return failure(mapped_error(written.error()));
            bytes = bytes.subspan(*step);
            left.take(*step);
        }
    }
    co_return outcome{};
}

/// One copy by the CPU: the kernel's own pipe takes references to the source's pages, 64 KiB at a
/// time, and the write copies them.
coro::task<outcome> by_sendfile(io::engine& engine, rest left) {
    const auto at = os::sys().lseek(left.what.to, static_cast<off_t>(left.what.offset), SEEK_SET);
    if (at < 0) co_return failure_of(static_cast<int>(-at));
    while (!left.empty()) {
        auto sent = co_await io::sendfile{
            engine,           left.what.to,           left.what.from,
            left.what.offset, left.next(kernel_step), io::sendfile::into::file};
        if (!sent) co_return failure(sent.error());
        if (*sent == 0) co_return failure(fault::ended);
        left.take(*sent);
    }
    co_return outcome{};
}

/// The same through a larger pipe of ours; two calls per pipe.
coro::task<outcome> by_splice(io::engine& engine, rest left) {
    using io::splice;
    auto pipe = pipe_ends::create(pipe_size);
    if (!pipe) co_return failure(pipe.error());
    while (!left.empty()) {
        auto filled = co_await splice{engine,
                                      splice::waits_for::none,
                                      left.what.from,
                                      static_cast<std::int64_t>(left.what.offset),
                                      pipe->in.get(),
                                      splice::no_offset,
                                      left.next(pipe->capacity)};
        if (!filled) co_return failure(filled.error());
        if (*filled == 0) co_return failure(fault::ended);
        for (std::size_t held = *filled; held > 0;) {
            auto drained = co_await splice{engine,
                                           splice::waits_for::none,
                                           pipe->out.get(),
                                           splice::no_offset,
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

/// One copy by the CPU inside the kernel, or none where blocks are shared; a call per step.
coro::task<outcome> by_copy_range(io::engine& engine, rest& left) {
    while (!left.empty()) {
        auto done = co_await io::copy_range{engine, left.what.from, left.what.to, left.what.offset,
                                            left.next(kernel_step)};
        if (!done) co_return failure(done.error());
        if (*done == 0) co_return failure(fault::ended);
        left.take(*done);
    }
    co_return outcome{};
}

/// EXDEV, EOPNOTSUPP, ENOSYS, EINVAL: copy_file_range(2) cannot copy between these two files, but
/// another strategy can.
bool cannot_be_copied(error e) noexcept {
    return e.is(EXDEV) || e.is(EOPNOTSUPP) || e.is(ENOSYS) || e.is(EINVAL);
}

coro::task<outcome> automatically(io::engine& engine, rest left) {
    auto done = co_await by_copy_range(engine, left);
    if (done || !cannot_be_copied(done.error())) co_return done;
    co_return co_await by_read_write(engine, left, buffer_size);
}

/// Opens the same file with O_DIRECT and with a position of its own.
result<unique_fd> open_directly(int file, int access) {
    const auto path = fmt::format("/proc/self/fd/{}", file);
    unique_fd opened{os::sys().openat(AT_FDCWD, path.c_str(), access | O_DIRECT | O_CLOEXEC)};
    if (!opened) return failure_of(-opened.get());
    return opened;
}

/// No copy by the CPU: the disk writes into our buffer and reads out of it. The rest after the last
/// full block goes through the page cache.
coro::task<outcome> by_direct(io::engine& engine, rest left) {
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
    auto done = co_await by_read_write(engine, aligned, direct_step);
    if (!done) co_return done;
    left.what.offset += direct;
    left.what.length -= direct;
    co_return co_await by_read_write(engine, left, direct_alignment);
}

/// Copies the next step of `left` until none is left.
coro::task<void> copy_steps(io::engine& engine, rest& left, mutable_bytes buffer, outcome& status) {
    while (!left.empty() && status) {
        copied_part step = left.what;
        step.length = left.next(buffer.size());
        left.what.offset += step.length;
        left.what.length -= step.length;
        while (step.length > 0) {
            auto done = co_await read_and_write(engine, step,
                                                buffer.first(at_most(step.length, buffer.size())));
            if (!done) {
                status = failure(done.error());
                co_return;
            }
            step.offset += *done;
            step.length -= *done;
            left.counter.add(*done);
        }
    }
}

/// Two copies by the CPU, on io_uring with several steps in flight, so that a disk reads and writes
/// at once and a system call submits many.
coro::task<outcome> by_uring(io::engine& engine, rest left) {
    auto memory = mapping::create(uring_depth * buffer_size);
    if (!memory) co_return failure(memory.error());
    const mutable_bytes buffer{static_cast<std::byte*>(memory->data()), memory->size()};
    outcome status;
    coro::scope all{co_await coro::this_context()};
    for (unsigned i = 0; i < uring_depth; ++i) {
        auto begun = all.spawn(
            copy_steps(engine, left, buffer.subspan(i * buffer_size, buffer_size), status));
        if (!begun && status) status = begun;
    }
    co_await all.join();
    co_return status;
}

}  // namespace

std::string_view to_text(copy how) noexcept {
    for (const auto& [name, strategy] : copy_names) {
        if (strategy == how) return name;
    }
    return "?";
}

coro::task<result<void>> copy_file(copy how, io::engine& engine, copied_part what,
                                   byte_counter& counter) {
    rest left{.what = what, .counter = counter};
    switch (how) {
        case copy::read_write: co_return co_await by_read_write(engine, left, buffer_size);
        case copy::mmap_write: co_return co_await by_mmap_write(engine, left);
        case copy::sendfile: co_return co_await by_sendfile(engine, left);
        case copy::splice: co_return co_await by_splice(engine, left);
        case copy::copy_range: co_return co_await by_copy_range(engine, left);
        case copy::direct: co_return co_await by_direct(engine, left);
        case copy::uring: co_return co_await by_uring(engine, left);
        case copy::automatic: break;
    }
    co_return co_await automatically(engine, left);
}

}  // namespace sluice::transfer
