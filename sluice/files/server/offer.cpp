// Implements the offer: opens the file, sends it, and waits until the peer has it.
#include "sluice/files/server/offer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/net/lingering_close.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/transfer/send_choice.hpp"

namespace sluice::files {
namespace {

struct opened {
    unique_fd file;
    std::uint64_t size = 0;
};

result<opened> open_file(const std::string& path) {
    unique_fd file{
        os::sys().openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    if (!file) return failure_of(-file.get());
    struct stat found{};
    const int failed = os::sys().fstat(file.get(), found);
    if (failed < 0) return failure_of(-failed);
    if (S_ISDIR(found.st_mode)) return failure_of(EISDIR);
    if (!S_ISREG(found.st_mode)) return failure_of(EINVAL);
    return opened{.file = std::move(file), .size = static_cast<std::uint64_t>(found.st_size)};
}

}  // namespace

offer::offer(std::string path, offer_options o) : path_{std::move(path)}, options_{std::move(o)} {}

result<std::uint64_t> offer::size() const {
    auto found = open_file(path_);
    if (!found) return failure(found.error());
    return found->size;
}

model::service offer::service() {
    // Processes that are forked from now on share what they measure.
    static_cast<void>(transfer::send_costs_of(transfer::peer_kind::loopback));
    return [this](model::session& client) { return serve(client); };
}

coro::task<void> offer::serve(model::session& client) {
    const auto number = counters_->clients.fetch_add(1, relaxed) + 1;
    const model::access_span span{options_.access, client};
    model::access_event told{.kind = model::access_kind::offer, .what = path_};
    const bool limited = options_.count > 0;
    if (limited && counters_->begun.fetch_add(1) >= options_.count) {
        counters_->begun.fetch_sub(1);
        client.peer().set_linger_reset();
        told.reason = "all were served";
        span.end(told, client);
        co_return;
    }
    const bool sent = co_await send_to(client, number, told);
    span.end(told, client);
    if (!limited) co_return;
    if (!sent) {
        counters_->begun.fetch_sub(1);
    } else if (counters_->served.load() == options_.count) {
        options_.done();
    }
}

coro::task<bool> offer::send_to(model::session& client, std::uint64_t number,
                                model::access_event& told) {
    auto file = open_file(path_);
    if (!file) {
        told.reason = "no file";
        counters_->lost.fetch_add(1, relaxed);
        options_.report(fmt::format("Nothing for [Client {}]: {}", number, file.error().message()));
        client.peer().set_linger_reset();
        co_return false;
    }
    transfer::byte_counter counter;
    const auto begun = io::clock::now();
    auto sent = co_await at_pace<void>(client.engine(), options_.pace, counter, [&] {
        return transfer::send_file(options_.how, client.peer(),
                                   {.file = file->file.get(), .offset = 0, .length = file->size},
                                   counter);
    });
    counters_->bytes.fetch_add(counter.bytes(), relaxed);
    told.sent = counter.bytes();
    if (!sent) {
        told.reason = "lost";
        counters_->lost.fetch_add(1, relaxed);
        if (sent.error() == fault::timed_out) counters_->slow.fetch_add(1, relaxed);
        options_.report(fmt::format("Lost [Client {}] after {} bytes: {}", number, counter.bytes(),
                                    sent.error().message()));
        // The client would take an orderly end for the end of the file.
        client.peer().set_linger_reset();
        co_return false;
    }
    const double seconds = std::chrono::duration<double>(io::clock::now() - begun).count();
    options_.report(fmt::format("Sent {} bytes to [Client {}] in {:.3f} s ({})", counter.bytes(),
                                number, seconds, transfer::to_text(options_.how)));
    co_await net::lingering_close(client.peer(), client.drain_context(),
                                  {.idle = options_.idle_time});
    counters_->served.fetch_add(1);
    co_return true;
}

}  // namespace sluice::files
