// Implements put_stream: sends in chunks what can be read only once, with its digest as a trailer.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "sluice/coro/context.hpp"
#include "sluice/files/client/put_response.hpp"
#include "sluice/files/client/upload.hpp"
#include "sluice/files/sha256.hpp"

namespace sluice::files {
namespace {

using http::http_response_reader;

/// Sends the bytes of `from` as chunks (RFC 9112, section 7.1), then their digest. `done` has the
/// result; on a failure, `broken` has the cause.
coro::task<result<void>> send_chunks(link& conn, term::console& from, progress& state,
                                     uploaded& done, std::optional<transfer_error>& broken) {
    sha256_sum sum;
    std::string chunk;
    for (;;) {
        auto piece = co_await from.recv();
        if (!piece) {
            broken = of_disk("reading what is to be sent", piece.error()).error();
            co_return failure(piece.error());
        }
        const auto text = piece->text();
        chunk = fmt::format("{:x}\r\n", text.size());
        if (text.empty()) {
            done.sha256 = sum.finish();
            chunk += "Repr-Digest: " + http::format_repr_digest(*done.sha256) + "\r\n\r\n";
        } else {
            sum.add(as_bytes(text));
            chunk += text;
            chunk += "\r\n";
        }
        auto written = co_await conn.say(chunk);
        if (!written) {
            broken = written.error();
            co_return failure(fault::ended);
        }
        if (text.empty()) co_return result<void>{};
        done.bytes += text.size();
        state.transferred().add(text.size());
    }
}

/// Connects, sends the head of an upload in chunks, and waits a moment for a refusal: no byte has
/// been read yet of a source that can be read only once.
coro::task<attempt<void>> offer_chunks(link& conn, std::string_view path, progress& state) {
    for (bool expects = true;; expects = false) {
        auto open = co_await open_with_retries(conn, state);
        if (!open) co_return open;
        auto written = co_await conn.say(
            fmt::format("PUT {} HTTP/1.1\r\nHost: {}\r\n{}{}Transfer-Encoding: chunked\r\n"
                        "Trailer: Repr-Digest\r\n{}\r\n",
                        path, conn.options().authority, conn.options().authorization, agent_field,
                        expects ? "Expect: 100-continue\r\n" : ""));
        if (!written) co_return std::unexpected{written.error()};
        if (!expects) co_return attempt<void>{};
        bool silent = false;
        auto early = co_await conn.answer(wait_for_continue, true, &silent);
        if (!early && !silent) co_return std::unexpected{early.error()};
        if (!early || early->head().status == 100) co_return attempt<void>{};
        // Retry without Expect.
        if (early->head().status == 417) continue;
        auto why = co_await refusal(conn, *early);
        conn.drop();
        why.may_pass = false;
        co_return std::unexpected{why};
    }
}

}  // namespace

coro::task<attempt<uploaded>> put_stream(link& conn, term::console& from, std::string path,
                                         progress& state) {
    auto offered = co_await offer_chunks(conn, path, state);
    if (!offered) co_return std::unexpected{offered.error()};
    state.start_at(0);
    state.enter(phase::moving);
    uploaded done;
    std::optional<transfer_error> broken;
    http_response_reader response;
    const auto sent =
        co_await conn.send_and_hear(send_chunks(conn, from, state, done, broken), response);
    const auto& context = co_await coro::this_context();
    attempt<void> answered;
    const bool of_server = !broken || broken->kind == transfer_error_kind::unreachable;
    if (!is_final(response) && of_server && !context.cancelled()) {
        state.enter(phase::keeping);
        answered = co_await conn.receive_head(
            response, io::after(io::clock::now(), sent ? conn.options().commit_timeout()
                                                       : io::duration{wait_for_continue}));
    }
    const bool refused = is_final(response) && response.head().status >= 300;
    if (!sent && !refused) {
        conn.drop();
        if (broken) co_return std::unexpected{*broken};
        co_return of_connection("sending", sent.error());
    }
    if (!answered) {
        conn.drop();
        co_return std::unexpected{answered.error()};
    }
    if (!is_stored(response.head().status)) {
        auto why = co_await refusal(conn, response);
        // Bytes that were read cannot be sent again.
        conn.drop();
        why.may_pass = false;
        co_return std::unexpected{why};
    }
    const unsigned status = response.head().status;
    const auto server_digest = digest_in(response.head());
    auto body = co_await conn.body_of(response, worth_asking);
    if (!body) conn.drop();
    if (server_digest && *server_digest != *done.sha256) {
        co_return std::unexpected{damaged("the server has sha256 " + http::to_hex(*server_digest))};
    }
    done.verified = server_digest.has_value();
    done.replaced = status == 204;
    co_return done;
}

}  // namespace sluice::files
