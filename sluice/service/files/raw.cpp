// Receives, keeps, and says what came of it.
#include "sluice/service/files/raw.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "sluice/base/mapping.hpp"
#include "sluice/service/files/digest.hpp"
#include "sluice/service/files/quiet_thread.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::service::files {
namespace {

// A digest of so little is made at once.
constexpr std::uint64_t quick_digest = std::uint64_t{1} << 20;

// What is received before others have a turn, where threads are shared.
constexpr std::uint64_t fair_step = std::uint64_t{8} << 20;

constexpr auto relaxed = std::memory_order_relaxed;

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

coro::task<void> raw_door::receive(model::guest& client) {
    const auto number = counters_->clients.fetch_add(1, relaxed) + 1;
    std::string who = fmt::format("[Client {}]", number);
    if (store_ != nullptr) {
        co_await store_from(client, std::move(who));
        co_return;
    }
    auto got = co_await drop(client);
    if (!got) {
        counters_->lost.fetch_add(1, relaxed);
        report(fmt::format("Lost {}: {}", who, got.error().message()));
        co_return;
    }
    counters_->stored.fetch_add(1, relaxed);
    counters_->bytes.fetch_add(*got, relaxed);
    report(fmt::format("Received {} bytes from {}, and dropped them", *got, who));
}

// With MSG_TRUNC the kernel drops what it was asked for without copying it (tcp(7)).
coro::task<result<std::uint64_t>> raw_door::drop(model::guest& client) {
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
    // One byte more than the limit says that there are too many.
    const std::uint64_t limit = options_.max_size;
    const std::uint64_t most =
        limit == std::numeric_limits<std::uint64_t>::max() ? limit : limit + 1;
    auto got = co_await take(client, *file, most, told);
    if (!got) {
        const bool disk = got.error().is(ENOSPC) || got.error().is(EDQUOT) ||
                          got.error().is(EFBIG) || got.error().is(EIO);
        (disk ? counters_->failed : counters_->lost).fetch_add(1, relaxed);
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
                                                 std::uint64_t most, transfer::moved& told) {
    const bool synced = store_->syncs();
    transfer::write_behind behind{file.fd(), 0, synced,
                                  synced && !client.home().blocks() ? disk_.get() : nullptr};
    auto room = file.room_from(0);
    std::uint64_t received = 0;
    while (received < most) {
        // Where threads are shared, others have a turn.
        if (received > 0) co_await client.turn();
        std::uint64_t step = most - received;
        if (client.roams()) step = std::min(step, fair_step);
        auto got = co_await transfer::receive_file(
            options_.how, client.peer(),
            {.file = file.fd(), .offset = received, .most = step, .room = &room, .behind = &behind},
            told);
        if (!got) co_return failure(got.error());
        received += *got;
        if (*got < step) break;
    }
    if (auto finished = room.finish(received); !finished) co_return failure(finished.error());
    co_return received;
}

coro::task<result<std::string>> raw_door::keep(io::engine& here, incoming& file) {
    co_return co_await disk_.run(here, [&file] { return file.keep_under_new_name(); });
}

// Of a file that has its name already, and is right whatever comes of this: those who still stream
// go first.
coro::task<std::string> raw_door::digest(io::engine& here, incoming& file, std::uint64_t size) {
    const auto work = [&file]() -> result<std::string> {
        struct stat now{};
        if (::fstat(file.fd(), &now) < 0) return failure_of(errno);
        auto value = digest_of(file.fd());
        if (!value) return failure(value.error());
        keep_digest(file.fd(), now, *value);
        return wire::to_hex(*value);
    };
    result<std::string> made;
    side_job aside;
    if (!here.blocks()) {
        made = co_await digests_.run(here, [&work] {
            stand_back();
            return work();
        });
    } else if (size > quick_digest) {
        // This thread keeps its place for whom it serves next.
        aside.start([&]() -> result<void> {
            stand_back();
            made = work();
            return {};
        });
        static_cast<void>(aside.wait());
    }
    if (here.blocks() && !aside.started()) made = work();
    co_return made ? std::move(*made) : fmt::format("unknown: {}", made.error().message());
}

}  // namespace sluice::service::files
