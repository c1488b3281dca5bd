// Implements receive_file and receive_to: downloads of a bare stream.
#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "sluice/files/client/download.hpp"
#include "sluice/files/pace.hpp"
#include "sluice/io/deadline.hpp"

namespace sluice::files {
namespace {

/// Waits for the first bytes, and leaves them to be received. An error if they are a line of a door
/// that gives no file.
coro::task<attempt<void>> hear_first_bytes(link& conn) {
    const auto heard =
        co_await io::with_timeout(conn.engine(), conn.peer().readable(), conn.options().timeout);
    if (!heard) co_return of_connection("waiting for the stream", heard.error());
    std::array<std::byte, 128> first{};
    const auto come = conn.peer().peek(first);
    const auto text = come ? as_text(const_bytes{first}.first(*come)) : std::string_view{};
    if (!refuses_in_a_line(text)) co_return attempt<void>{};
    conn.drop();
    co_return failed("there is no file: the other side says " + shown_refusal(text));
}

}  // namespace

coro::task<attempt<downloaded>> receive_file(link& conn, partial_file& into, download_options o,
                                             progress& state) {
    auto open = co_await open_with_retries(conn, state);
    if (!open) co_return std::unexpected{open.error()};
    state.start_at(0);
    state.enter(phase::moving);
    auto heard = co_await hear_first_bytes(conn);
    if (!heard) co_return std::unexpected{heard.error()};
    if (auto begun = into.begin(""); !begun) co_return of_disk("making a file", begun.error());
    auto got = co_await at_pace<std::uint64_t>(
        conn.engine(), {.window = conn.options().timeout, .moved_before = state.of_this_attempt()},
        state.transferred(), [&] {
            return transfer::receive_file(conn.options().receives, conn.peer(), {.file = into.fd()},
                                          state.transferred());
        });
    conn.drop();
    if (!got && is_of_disk(got.error())) co_return of_disk("writing the file", got.error());
    if (!got) co_return of_connection("receiving the stream", got.error());
    state.enter(phase::keeping);
    auto named = co_await conn.readers().run(conn.engine(), [&] { return into.finish(o.sync); });
    if (!named) co_return of_disk("keeping the file", named.error());
    co_return downloaded{.bytes = *got};
}

coro::task<attempt<downloaded>> receive_to(link& conn, term::console& into, progress& state) {
    auto open = co_await open_with_retries(conn, state);
    if (!open) co_return std::unexpected{open.error()};
    state.start_at(0);
    state.enter(phase::moving);
    auto heard = co_await hear_first_bytes(conn);
    if (!heard) co_return std::unexpected{heard.error()};
    std::vector<std::byte> buffer(std::size_t{256} << 10);
    downloaded done;
    for (;;) {
        auto got = co_await io::with_timeout(conn.engine(), conn.peer().recv_into(buffer),
                                             conn.options().timeout);
        if (!got) {
            conn.drop();
            co_return of_connection("receiving the stream", got.error());
        }
        if (*got == 0) break;
        auto written = co_await into.send_all(as_text(const_bytes{buffer}.first(*got)));
        if (!written) {
            conn.drop();
            co_return of_disk("writing what came", written.error());
        }
        done.bytes += *got;
        state.transferred().add(*got);
    }
    conn.drop();
    co_return done;
}

}  // namespace sluice::files
