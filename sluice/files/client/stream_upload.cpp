// Implements stream_file and stream_all: uploads as a bare stream, whose orderly end is the end of
// the file. So while bytes are unsent, a close or the end of this process resets the connection.
#include <array>
#include <cerrno>
#include <cstddef>
#include <string>

#include "sluice/files/client/upload.hpp"
#include "sluice/files/pace.hpp"
#include "sluice/io/deadline.hpp"

namespace sluice::files {
namespace {

/// Waits for the orderly end of the peer, which then has kept the bytes.
coro::task<attempt<void>> wait_for_end(link& conn, progress& state) {
    state.enter(phase::keeping);
    conn.peer().set_linger_reset(false);
    co_await conn.peer().end_sending();
    const auto deadline = io::after(io::clock::now(), conn.options().commit_timeout());
    std::array<std::byte, 4096> unread{};
    std::string said;
    for (;;) {
        auto got =
            co_await io::with_deadline(conn.engine(), conn.peer().recv_into(unread), deadline);
        if (got && *got > 0) {
            if (said.empty()) said = as_text(const_bytes{unread}.first(*got));
            continue;
        }
        conn.drop();
        if (got && refuses_in_a_line(said)) {
            co_return failed("nothing was kept: the other side says " + shown_refusal(said));
        }
        if (got) co_return attempt<void>{};
        if (got.error().is(ECONNRESET)) {
            co_return failed(
                "the other side had everything and did not keep it: it reset the connection; what "
                "it has to say stands in its own log");
        }
        auto lost = of_connection("waiting until the other side has kept it", got.error());
        // The peer may have kept the file: a retry could store it twice.
        lost.error().may_pass = false;
        co_return lost;
    }
}

coro::task<attempt<uploaded>> stream_once(link& conn, upload_source source, progress& state) {
    conn.peer().set_linger_reset();
    state.start_at(0);
    state.enter(phase::moving);
    auto sent = co_await at_pace<void>(
        conn.engine(), {.window = conn.options().timeout, .moved_before = state.of_this_attempt()},
        state.transferred(), [&] {
            return transfer::send_file(conn.options().sends, conn.peer(),
                                       {.file = source.file, .offset = 0, .length = source.size},
                                       state.transferred());
        });
    if (!sent) {
        conn.drop();
        if (sent.error() == fault::ended) {
            co_return failed("the file became shorter while it was sent; nothing was kept");
        }
        if (is_of_disk(sent.error())) co_return of_disk("reading the file", sent.error());
        co_return of_connection("sending the file", sent.error());
    }
    auto kept = co_await wait_for_end(conn, state);
    if (!kept) co_return std::unexpected{kept.error()};
    co_return uploaded{.bytes = source.size};
}

}  // namespace

coro::task<attempt<uploaded>> stream_file(link& conn, upload_source source, progress& state) {
    state.set_total(source.size);
    timeout retry{conn};
    for (;;) {
        conn.drop();
        state.enter(phase::connecting);
        auto open = co_await conn.open();
        attempt<uploaded> done;
        if (open) {
            done = co_await stream_once(conn, source, state);
        } else {
            done = std::unexpected{open.error()};
        }
        if (done) co_return done;
        state.enter(phase::waiting);
        const bool more = co_await retry.again(done.error(), 0);
        if (!more) co_return done;
    }
}

coro::task<attempt<uploaded>> stream_all(link& conn, term::console& from, progress& state) {
    auto open = co_await open_with_retries(conn, state);
    if (!open) co_return std::unexpected{open.error()};
    conn.peer().set_linger_reset();
    state.start_at(0);
    state.enter(phase::moving);
    uploaded done;
    for (;;) {
        auto piece = co_await from.recv();
        attempt<void> written;
        if (!piece) {
            written = of_disk("reading what is to be sent", piece.error());
        } else if (!piece->empty()) {
            written = co_await conn.say(piece->text());
        } else {
            break;
        }
        if (!written) {
            conn.drop();
            co_return std::unexpected{written.error()};
        }
        done.bytes += piece->text().size();
        state.transferred().add(piece->text().size());
    }
    auto kept = co_await wait_for_end(conn, state);
    if (!kept) co_return std::unexpected{kept.error()};
    co_return done;
}

}  // namespace sluice::files
