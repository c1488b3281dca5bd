// Implements the raw upload service: receives, stores, digests and logs.
#include "sluice/files/server/raw_service.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/files/server/lasting_transfer.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/os/mapping.hpp"
#include "sluice/os/thread.hpp"
#include "sluice/os/wakeup.hpp"
#include "sluice/wire/protocol_guess.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::files {
namespace {

// Bytes. Up to here a digest is computed at once.
constexpr std::uint64_t digest_at_once = std::uint64_t{1} << 20;

// Bytes between two checks for a cancellation: a millisecond, for a thread of low priority may get
// no more than a hundredth of a busy core.
constexpr std::uint64_t digest_step = std::uint64_t{256} << 10;

/// Set, for another thread to read, when a context is cancelled.
struct cancel_flag : coro::cancel_hook {
    explicit cancel_flag(coro::context& within) noexcept
        : cancel_hook{[](cancel_hook& h) noexcept { static_cast<cancel_flag&>(h).set = true; }},
          set{within.cancelled()} {
        if (!set) within.watch(*this);
    }

    std::atomic<bool> set;
};

template <class F>
result<void> without_exception(F& f) noexcept {
    try {
        f();
    } catch (const std::bad_alloc&) {
        return failure_of(ENOMEM);
    }
    return {};
}

/// Runs `f` on a thread of lower priority, for this one keeps its own for its next client. Waits
/// for `f` also after a cancellation. False where there is no thread, or no memory for `f`.
template <class F>
coro::task<bool> run_on_thread(io::engine& engine, F f) {
    const auto wakeup = os::wakeup::create();
    if (!wakeup || !engine.attach(wakeup->fd())) co_return false;
    os::background_job job;
    job.start([&]() noexcept -> result<void> {
        os::lower_priority();
        const auto done = without_exception(f);
        wakeup->signal();
        return done;
    });
    const bool started = job.started();
    if (started) static_cast<void>(co_await io::poll{engine, wakeup->fd(), io::interest::in});
    const auto done = job.wait();
    engine.detach(wakeup->fd());
    co_return started&& done;
}

/// Tells the peer, by a reset, that its file was not kept.
void refuse(model::session& client) noexcept {
    client.peer().set_linger_reset();
}

}  // namespace

raw_service::raw_service(store* into, raw_options o) : store_{into}, options_{std::move(o)} {}

raw_service::~raw_service() = default;

model::service raw_service::service() {
    return [this](model::session& client) { return serve(client); };
}

void raw_service::report(std::string_view what) noexcept {
    if (options_.report) options_.report(what);
}

std::function<void()> raw_service::progress_remark(const std::string& label,
                                                   const transfer::byte_counter& counter) {
    return [this, &label, &counter] {
        if (!options_.remark) return;
        options_.remark(fmt::format("{} goes on sending: {} so far", label,
                                    wire::format_size(counter.bytes())));
    };
}

coro::task<void> raw_service::serve(model::session& client) {
    const model::access_span span{options_.access, client};
    const auto done = co_await receive(client);
    span.end({.kind = model::access_kind::upload,
              .what = done.name,
              .reason = done.reason,
              .received = done.received},
             client);
}

coro::task<raw_service::outcome> raw_service::receive(model::session& client) {
    const auto number = counters_->clients.fetch_add(1, relaxed) + 1;
    std::string label = fmt::format("[Client {}]", number);
    auto begun = co_await first_byte(client);
    if (begun && !options_.any) begun = check_protocol(client);
    if (!begun && is_other_protocol(begun.error())) {
        counters_->strangers.fetch_add(1, relaxed);
        report(fmt::format("Refused {}: {}; --raw-any keeps such streams", label,
                           begun.error().message()));
        refuse(client);
        co_return outcome{.reason = "another protocol"};
    }
    if (!begun) {
        count_lost(begun.error());
        report(fmt::format("Lost {} before its first byte: {}", label, begun.error().message()));
        refuse(client);
        co_return outcome{.reason = "lost"};
    }
    auto receiving = store_ != nullptr ? store_from(client, std::move(label))
                                       : drop_from(client, std::move(label));
    auto done = co_await receiving;
    co_return done;
}

coro::task<raw_service::outcome> raw_service::drop_from(model::session& client, std::string label) {
    transfer::byte_counter counter;
    lasting_transfer going{counters_->transfers, progress_remark(label, counter)};
    const lasting_transfer::watch clock{going, client.engine()};
    auto got = co_await at_pace<std::uint64_t>(client.engine(), pace(), counter,
                                               [&] { return drop(client, counter); });
    if (!got) {
        count_lost(got.error());
        report(fmt::format("Lost {}: {}", label, got.error().message()));
        refuse(client);
        co_return outcome{.reason = "lost", .received = counter.bytes()};
    }
    counters_->stored.fetch_add(1, relaxed);
    counters_->bytes.fetch_add(*got, relaxed);
    report(fmt::format("Received {} bytes from {}, and dropped them", *got, label));
    co_return outcome{.received = *got};
}

// Before that, a client has neither a file nor memory here.
coro::task<result<void>> raw_service::first_byte(model::session& client) {
    co_return co_await io::with_deadline(client.engine(), client.peer().readable(),
                                         io::after(io::clock::now(), options_.idle_time));
}

// A browser sends its request line at once, so what has come says enough. An error that is met here
// is met once: the next recv(2) would report the end of the stream.
result<void> raw_service::check_protocol(model::session& client) noexcept {
    std::array<std::byte, 2048> begin{};
    const auto come = client.peer().peek(begin);
    if (!come && come.error().is(EAGAIN)) return {};
    if (!come) return failure(come.error());
    wire::protocol_guess guess;
    guess.feed(as_text(const_bytes{begin}.first(*come)));
    switch (guess.found()) {
        case wire::other_protocol::none: break;
        case wire::other_protocol::http: return failure(fault::http_spoken);
        case wire::other_protocol::tls: return failure(fault::tls_spoken);
    }
    return {};
}

void raw_service::count_lost(error why) noexcept {
    counters_->lost.fetch_add(1, relaxed);
    if (why == fault::timed_out) counters_->slow.fetch_add(1, relaxed);
}

// With MSG_TRUNC the kernel drops the bytes without copying them (tcp(7)).
coro::task<result<std::uint64_t>> raw_service::drop(model::session& client,
                                                    transfer::byte_counter& counter) {
    constexpr std::size_t step = std::size_t{1} << 20;
    auto unused = mapping::create(step);
    if (!unused) co_return failure(unused.error());
    const mutable_bytes buffer{static_cast<std::byte*>(unused->data()), step};
    std::uint64_t received = 0;
    for (;;) {
        auto got = co_await client.peer().recv_into(buffer, MSG_TRUNC);
        if (!got) co_return failure(got.error());
        if (*got == 0) co_return received;
        received += *got;
        counter.add(*got);
    }
}

coro::task<raw_service::outcome> raw_service::store_from(model::session& client,
                                                         std::string label) {
    auto file = store_->receive();
    if (!file) {
        counters_->failed.fetch_add(1, relaxed);
        report(fmt::format("Refused {}: no file can be made: {}", label, file.error().message()));
        refuse(client);
        co_return outcome{.reason = "no file can be made"};
    }
    transfer::byte_counter counter;
    lasting_transfer going{counters_->transfers, progress_remark(label, counter)};
    // A byte beyond the limit shows that the file is too large.
    const std::uint64_t limit = options_.max_size;
    const std::uint64_t most =
        limit == std::numeric_limits<std::uint64_t>::max() ? limit : limit + 1;
    auto got = co_await at_pace<std::uint64_t>(client.engine(), pace(), counter, [&] {
        return take(client, *file, most, counter, going);
    });
    if (!got) {
        const bool disk = got.error().is(ENOSPC) || got.error().is(EDQUOT) ||
                          got.error().is(EFBIG) || got.error().is(EIO);
        if (disk) {
            counters_->failed.fetch_add(1, relaxed);
        } else {
            count_lost(got.error());
        }
        report(fmt::format("{} {} after {} bytes: {}; nothing was kept", disk ? "Refused" : "Lost",
                           label, counter.bytes(), got.error().message()));
        refuse(client);
        co_return outcome{.reason = disk ? "not stored" : "lost", .received = counter.bytes()};
    }
    if (*got > limit) {
        counters_->too_large.fetch_add(1, relaxed);
        report(fmt::format("Refused {}: a file has at most {} here; nothing was kept", label,
                           wire::format_size(limit)));
        refuse(client);
        co_return outcome{.reason = "too large", .received = *got};
    }
    auto name = co_await commit(client.engine(), *file);
    if (!name) {
        counters_->failed.fetch_add(1, relaxed);
        report(fmt::format("Refused {} after {} bytes: {}; nothing was kept", label, *got,
                           name.error().message()));
        refuse(client);
        co_return outcome{.reason = "not stored", .received = *got};
    }
    counters_->stored.fetch_add(1, relaxed);
    counters_->bytes.fetch_add(*got, relaxed);
    // The client need not wait for the digest, which is for the log alone.
    co_await client.peer().end_sending();
    const std::string sha256 = co_await digest(client.engine(), *file, *got);
    report(fmt::format("Received {} bytes from {} as {} (sha256 {})", *got, label, *name, sha256));
    co_return outcome{.name = std::move(*name), .received = *got};
}

coro::task<result<std::uint64_t>> raw_service::take(model::session& client, pending_file& file,
                                                    std::uint64_t most,
                                                    transfer::byte_counter& counter,
                                                    lasting_transfer& going) {
    const bool synced = store_->syncs();
    transfer::write_behind behind{file.fd(), 0, synced,
                                  synced && !client.engine().works_in_place() ? &disk_ : nullptr};
    auto reserved = file.space_from(0);
    const transfer::shared_pipes::user piping{pipes_};
    const lasting_transfer::watch clock{going, client.engine()};
    auto got = co_await transfer::receive_file(options_.how, client.peer(),
                                               {.file = file.fd(),
                                                .offset = 0,
                                                .most = most,
                                                .reserved = &reserved,
                                                .behind = &behind,
                                                .pipes = &pipes_},
                                               counter);
    if (!got) co_return failure(got.error());
    if (auto finished = reserved.finish(*got); !finished) co_return failure(finished.error());
    co_return *got;
}

coro::task<result<std::string>> raw_service::commit(io::engine& engine, pending_file& file) {
    co_return co_await disk_.run(engine, [&file] { return file.commit_under_new_name(); });
}

// The file has its name already: clients that still stream go first, and the digest is given up on
// cancellation.
coro::task<std::string> raw_service::digest(io::engine& engine, pending_file& file,
                                            std::uint64_t size) {
    const cancel_flag cancel{co_await coro::this_context()};
    const auto work = [&file, &cancel, size]() -> result<std::string> {
        struct stat now{};
        const int failed = os::sys().fstat(file.fd(), now);
        if (failed < 0) return failure_of(-failed);
        running_digest value;
        while (value.place() < size) {
            if (cancel.set) return failure(fault::cancelled);
            const auto from = value.place();
            auto read = value.go_to(file.fd(), std::min(size, from + digest_step));
            if (!read) return failure(read.error());
            if (value.place() == from) break;
        }
        const auto whole = value.finish();
        keep_digest(file.fd(), now, whole);
        return http::to_hex(whole);
    };
    result<std::string> made = failure(fault::cancelled);
    if (!engine.works_in_place()) {
        made = co_await digests_.run(engine, [&work] {
            os::lower_priority();
            return work();
        });
    } else {
        bool done = false;
        if (size > digest_at_once) done = co_await run_on_thread(engine, [&] { made = work(); });
        if (!done) made = work();
    }
    if (!made && made.error() == fault::cancelled) co_return "not made: the server stops";
    co_return made ? std::move(*made) : fmt::format("unknown: {}", made.error().message());
}

}  // namespace sluice::files
