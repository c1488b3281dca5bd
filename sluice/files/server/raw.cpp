// Receives, keeps, and says what came of it.
#include "sluice/files/server/raw.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "sluice/base/fd.hpp"
#include "sluice/base/mapping.hpp"
#include "sluice/base/relaxed.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/files/server/lasting_transfer.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/os/quiet_thread.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::files {
namespace {

// A digest of so little is made at once.
constexpr std::uint64_t quick_digest = std::uint64_t{1} << 20;

// Between two looks whether a digest is still wanted: some milliseconds.
constexpr std::uint64_t digest_step = std::uint64_t{4} << 20;

/// Hears on another thread that a context is cancelled.
struct giving_up : coro::cancel_hook {
    explicit giving_up(coro::context& within) noexcept
        : cancel_hook{[](cancel_hook& h) noexcept { static_cast<giving_up&>(h).asked = true; }},
          asked{within.cancelled()} {
        if (!asked) within.watch(*this);
    }
    giving_up(const giving_up&) = delete;
    giving_up& operator=(const giving_up&) = delete;
    ~giving_up() { unlink(); }

    std::atomic<bool> asked;
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

/// Runs `f` on a thread of its own that stands back, for this one keeps its place for the client
/// that it serves next; what is cancelled meanwhile hears of it, and `f` is waited for. False where
/// there is no thread to be had, or no memory for `f`.
template <class F>
coro::task<bool> beside(io::engine& here, F f) {
    const unique_fd bell{::eventfd(0, EFD_CLOEXEC)};
    if (!bell || !here.attach(bell.get())) co_return false;
    side_job job;
    job.start([&]() noexcept -> result<void> {
        stand_back();
        const auto done = without_exception(f);
        const std::uint64_t one = 1;
        static_cast<void>(::write(bell.get(), &one, sizeof one));
        return done;
    });
    const bool started = job.started();
    if (started) static_cast<void>(co_await io::poll{here, bell.get(), io::interest::in});
    const auto done = job.wait();
    here.detach(bell.get());
    co_return started&& done;
}

/// The peer hears that its file was not kept.
void refuse(model::guest& client) noexcept {
    client.peer().reset_on_close();
}

}  // namespace

raw_door::raw_door(store* into, raw_options o) : store_{into}, options_{std::move(o)} {}

raw_door::~raw_door() = default;

model::service raw_door::service() {
    return [this](model::guest& client) { return receive(client); };
}

void raw_door::report(std::string_view what) noexcept {
    if (options_.report) options_.report(what);
}

std::function<void()> raw_door::remark_on(const std::string& who, const transfer::moved& told) {
    return [this, &who, &told] {
        if (!options_.remark) return;
        options_.remark(
            fmt::format("{} goes on sending: {} so far", who, wire::format_size(told.bytes())));
    };
}

coro::task<void> raw_door::receive(model::guest& client) {
    const auto number = counters_->clients.fetch_add(1, relaxed) + 1;
    std::string who = fmt::format("[Client {}]", number);
    auto begun = co_await first_byte(client);
    if (!begun) {
        count_lost(begun.error());
        report(fmt::format("Lost {} before its first byte: {}", who, begun.error().message()));
        refuse(client);
        co_return;
    }
    if (store_ != nullptr) {
        co_await store_from(client, std::move(who));
    } else {
        co_await drop_from(client, std::move(who));
    }
}

coro::task<void> raw_door::drop_from(model::guest& client, std::string who) {
    transfer::moved told;
    lasting_transfer going{counters_->transfers, remark_on(who, told)};
    const lasting_transfer::watch clock{going, client.home()};
    auto got = co_await at_pace<std::uint64_t>(client.home(), options_.pace, told,
                                               [&] { return drop(client, told); });
    if (!got) {
        count_lost(got.error());
        report(fmt::format("Lost {}: {}", who, got.error().message()));
        co_return;
    }
    counters_->stored.fetch_add(1, relaxed);
    counters_->bytes.fetch_add(*got, relaxed);
    report(fmt::format("Received {} bytes from {}, and dropped them", *got, who));
}

// Until then a client has neither a file nor memory here.
coro::task<result<void>> raw_door::first_byte(model::guest& client) {
    io::poll readable{client.home(), client.peer().fd(), io::interest::in};
    co_return co_await io::with_deadline(client.home(), readable,
                                         io::after(io::clock::now(), options_.idle_time));
}

void raw_door::count_lost(error why) noexcept {
    counters_->lost.fetch_add(1, relaxed);
    if (why == fault::timed_out) counters_->slow.fetch_add(1, relaxed);
}

// With MSG_TRUNC the kernel drops what it was asked for without copying it (tcp(7)).
coro::task<result<std::uint64_t>> raw_door::drop(model::guest& client, transfer::moved& told) {
    constexpr std::size_t step = std::size_t{1} << 20;
    auto unused = mapping::create(step);
    if (!unused) co_return failure(unused.error());
    const mutable_bytes room{static_cast<std::byte*>(unused->data()), step};
    std::uint64_t received = 0;
    for (;;) {
        auto got = co_await client.peer().recv_into(room, MSG_TRUNC);
        if (!got) co_return failure(got.error());
        if (*got == 0) co_return received;
        received += *got;
        told.add(*got);
    }
}

coro::task<void> raw_door::store_from(model::guest& client, std::string who) {
    auto file = store_->receive();
    if (!file) {
        counters_->failed.fetch_add(1, relaxed);
        report(fmt::format("Refused {}: no file can be made: {}", who, file.error().message()));
        refuse(client);
        co_return;
    }
    transfer::moved told;
    lasting_transfer going{counters_->transfers, remark_on(who, told)};
    // One byte more than the limit says that there are too many.
    const std::uint64_t limit = options_.max_size;
    const std::uint64_t most =
        limit == std::numeric_limits<std::uint64_t>::max() ? limit : limit + 1;
    auto got = co_await at_pace<std::uint64_t>(
        client.home(), options_.pace, told, [&] { return take(client, *file, most, told, going); });
    if (!got) {
        const bool disk = got.error().is(ENOSPC) || got.error().is(EDQUOT) ||
                          got.error().is(EFBIG) || got.error().is(EIO);
        if (disk) {
            counters_->failed.fetch_add(1, relaxed);
        } else {
            count_lost(got.error());
        }
        report(fmt::format("{} {} after {} bytes: {}; nothing was kept", disk ? "Refused" : "Lost",
                           who, told.bytes(), got.error().message()));
        refuse(client);
        co_return;
    }
    if (*got > limit) {
        counters_->too_large.fetch_add(1, relaxed);
        report(fmt::format("Refused {}: a file has at most {} here; nothing was kept", who,
                           wire::format_size(limit)));
        refuse(client);
        co_return;
    }
    auto kept = co_await keep(client.home(), *file);
    if (!kept) {
        counters_->failed.fetch_add(1, relaxed);
        report(fmt::format("Refused {} after {} bytes: {}; nothing was kept", who, *got,
                           kept.error().message()));
        refuse(client);
        co_return;
    }
    counters_->stored.fetch_add(1, relaxed);
    counters_->bytes.fetch_add(*got, relaxed);
    // The client need not wait for what only the operator wants to know.
    client.peer().finish_sending();
    const std::string sha256 = co_await digest(client.home(), *file, *got);
    report(fmt::format("Received {} bytes from {} as {} (sha256 {})", *got, who, *kept, sha256));
}

coro::task<result<std::uint64_t>> raw_door::take(model::guest& client, incoming& file,
                                                 std::uint64_t most, transfer::moved& told,
                                                 lasting_transfer& going) {
    const bool synced = store_->syncs();
    transfer::write_behind behind{
        file.fd(), 0, synced, synced && !client.home().works_in_place() ? disk_.get() : nullptr};
    auto room = file.room_from(0);
    const lasting_transfer::watch clock{going, client.home()};
    auto got = co_await transfer::receive_file(
        options_.how, client.peer(),
        {.file = file.fd(), .offset = 0, .most = most, .room = &room, .behind = &behind}, told);
    if (!got) co_return failure(got.error());
    if (auto finished = room.finish(*got); !finished) co_return failure(finished.error());
    co_return *got;
}

coro::task<result<std::string>> raw_door::keep(io::engine& here, incoming& file) {
    co_return co_await disk_.run(here, [&file] { return file.keep_under_new_name(); });
}

// Of a file that has its name already, and is right whatever comes of this: those who still stream
// go first, and where everything ends, it is given up.
coro::task<std::string> raw_door::digest(io::engine& here, incoming& file, std::uint64_t size) {
    const giving_up end{co_await coro::this_context()};
    const auto work = [&file, &end, size]() -> result<std::string> {
        struct stat now{};
        if (::fstat(file.fd(), &now) < 0) return failure_of(errno);
        running_digest value;
        while (value.place() < size) {
            if (end.asked) return failure(fault::cancelled);
            const auto from = value.place();
            auto read = value.go_to(file.fd(), std::min(size, from + digest_step));
            if (!read) return failure(read.error());
            if (value.place() == from) break;
        }
        auto whole = value.finish();
        if (!whole) return failure(whole.error());
        keep_digest(file.fd(), now, *whole);
        return http::to_hex(*whole);
    };
    result<std::string> made = failure(fault::cancelled);
    if (!here.works_in_place()) {
        made = co_await digests_.run(here, [&work] {
            stand_back();
            return work();
        });
    } else {
        bool done = false;
        if (size > quick_digest) done = co_await beside(here, [&] { made = work(); });
        if (!done) made = work();
    }
    if (!made && made.error() == fault::cancelled) co_return "not made: the server stops";
    co_return made ? std::move(*made) : fmt::format("unknown: {}", made.error().message());
}

}  // namespace sluice::files
