// Implements uploads: asks how much the server has, sends the rest, verifies the response.
#include "sluice/files/client/upload.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "sluice/coro/context.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/files/pace.hpp"
#include "sluice/http/range.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

using namespace std::chrono_literals;
using http::http_response;
using http::http_response_reader;

// Bytes. Smaller bodies are sent without Expect: a question takes as long.
constexpr std::uint64_t worth_asking = std::uint64_t{64} << 10;
// RFC 9110, section 10.1.1: a server that does not support Expect waits for the body.
constexpr io::duration wait_for_continue = 1s;
// Factor of the timeout: a server that has all bytes may sync and check gigabytes.
constexpr int commit_timeout_factor = 10;

// Two connections that broke on OPTIONS mean: no parts.
constexpr unsigned max_probes = 2;

constexpr std::string_view agent = "User-Agent: sluice\r\n";

std::optional<http::sha256_value> digest_in(const http_response& head) {
    const auto field = head.field("repr-digest");
    if (!field) return std::nullopt;
    const auto parsed = http::parse_repr_digest(*field);
    return parsed ? *parsed : std::nullopt;
}

transfer_error damaged(const std::string& why) {
    return {.kind = transfer_error_kind::corrupted,
            .what = "what arrived is not what was sent: " + why +
                    "; if the file was not written to meanwhile, look for bad memory or disks"};
}

/// Whether the server has stored the file: a success (2xx), but neither "later" (202) nor a list of
/// several (207, RFC 4918, section 11.1).
bool is_stored(unsigned status) noexcept {
    return status / 100 == 2 && status != 202 && status != 207;
}

/// The error for a response that refuses an upload.
coro::task<transfer_error> refusal(link& conn, http_response_reader& response) {
    const unsigned status = response.head().status;
    std::string elsewhere;
    if (const auto where = response.head().field("location"); where && status / 100 == 3) {
        elsewhere = *where;
    }
    auto why = co_await why_refused(conn, response);
    if (status == 422) co_return damaged("the server says " + why);
    if (!elsewhere.empty()) {
        co_return transfer_error{.kind = transfer_error_kind::failed,
                                 .what = "the server sends us elsewhere; put it at " +
                                         wire::printable(wire::truncate_utf8(elsewhere, 200))};
    }
    co_return transfer_error{.kind = transfer_error_kind::failed,
                             .what = "the server refused it: " + why,
                             .may_pass = may_pass(status)};
}

/// The SHA-256 of the source, read 8 MiB at a time, so that it can be cancelled. fault::ended where
/// the file is shorter than the source says; errno of pread(2).
coro::task<result<http::sha256_value>> digest_of_source(link& conn, const upload_source& source,
                                                        transfer::moved& counter) {
    constexpr std::uint64_t slice = std::uint64_t{8} << 20;
    constexpr std::uint64_t step = std::uint64_t{256} << 10;
    running_digest digest;
    while (digest.place() < source.size) {
        const auto end = std::min(source.size, digest.place() + slice);
        const auto work = [&, end]() -> result<void> {
            while (digest.place() < end) {
                const auto from = digest.place();
                auto read = digest.go_to(source.file, std::min(end, from + step));
                if (!read) return read;
                if (digest.place() == from) return failure(fault::ended);
                counter.add(digest.place() - from);
            }
            return {};
        };
        auto read = co_await conn.readers().run(conn.engine(), work);
        if (!read) co_return failure(read.error());
        // On the blocking engine this wait is the only point at which a cancellation arrives.
        if (!conn.engine().blocks()) continue;
        auto yielded = co_await io::sleep_until{conn.engine(), io::clock::now()};
        if (!yielded) co_return failure(yielded.error());
    }
    co_return digest.finish();
}

/// An upload by PUT.
class put {
 public:
    put(link& conn, upload_source source, std::string path, progress& state)
        : link_{conn}, source_{source}, path_{std::move(path)}, progress_{state} {}

    coro::task<attempt<uploaded>> run() {
        progress_.set_total(source_.size);
        progress_.enter(phase::checking);
        auto sum = co_await digest_of_source(link_, source_, progress_.checked());
        if (!sum) co_return of_disk("reading the file", sum.error());
        digest_ = *sum;
        timeout retry{link_};
        for (;;) {
            progress_.enter(phase::connecting);
            auto done = co_await put_once();
            if (done) co_return done;
            progress_.enter(phase::waiting);
            const bool more = co_await retry.again(done.error(), ahead_);
            if (!more) co_return done;
        }
    }

 private:
    coro::task<attempt<uploaded>> put_once() {
        if (auto open = co_await link_.open(); !open) co_return std::unexpected{open.error()};
        if (source_.size >= worth_resuming && !takes_parts_) {
            if (auto probed = co_await probe_parts(); !probed) {
                co_return std::unexpected{probed.error()};
            }
            if (auto open = co_await link_.open(); !open) co_return std::unexpected{open.error()};
        }
        std::uint64_t from = 0;
        if (in_parts()) {
            auto stored = co_await query_offset();
            if (!stored) co_return std::unexpected{stored.error()};
            if (complete_) {
                if (!first_offset_) first_offset_ = source_.size;
                co_return receipt();
            }
            from = *stored;
            ahead_ = std::max(ahead_, from);
            if (!first_offset_) first_offset_ = from;
            // The server may have closed the connection after its response.
            if (auto open = co_await link_.open(); !open) co_return std::unexpected{open.error()};
        }
        co_return co_await send_from(from);
    }

    [[nodiscard]] bool in_parts() const noexcept { return takes_parts_.value_or(false); }

    [[nodiscard]] std::string head(std::uint64_t length) const {
        return fmt::format(
            "PUT {} HTTP/1.1\r\nHost: {}\r\n{}Content-Length: {}\r\nRepr-Digest: {}\r\n", path_,
            link_.options().authority, agent, length, http::format_repr_digest(digest_));
    }

    /// Asks whether the server takes files in parts, by a request that is safe (RFC 9110, section
    /// 9.2.1): to any other server a PUT with Content-Range may be a whole file, and replaces the
    /// stored one (section 14.5).
    coro::task<attempt<void>> probe_parts() {
        ++probes_;
        auto written = co_await link_.say(fmt::format("OPTIONS {} HTTP/1.1\r\nHost: {}\r\n{}\r\n",
                                                      path_, link_.options().authority, agent));
        attempt<http_response_reader> response =
            std::unexpected{written ? transfer_error{} : written.error()};
        if (written) response = co_await link_.answer(link_.options().timeout);
        if (!response) {
            if (response.error().kind == transfer_error_kind::cancelled) {
                co_return std::unexpected{response.error()};
            }
            // A server that closes the connection on OPTIONS may still take a PUT.
            if (probes_ < max_probes) co_return std::unexpected{response.error()};
            takes_parts_ = false;
            link_.drop();
            co_return attempt<void>{};
        }
        const auto& answer = response->head();
        takes_parts_ = answer.status / 100 == 2 && answer.field("accept-content-range") == "bytes";
        auto body = co_await link_.body_of(*response, worth_asking);
        if (!body) link_.drop();
        co_return attempt<void>{};
    }

    /// Asks how many bytes the server has.
    coro::task<attempt<std::uint64_t>> query_offset() {
        const auto request =
            head(0) + "Content-Range: " +
            http::format_content_range({.part = std::nullopt, .total = source_.size}) + "\r\n\r\n";
        if (auto written = co_await link_.say(request); !written) {
            co_return std::unexpected{written.error()};
        }
        auto response = co_await link_.answer(link_.options().timeout);
        if (!response) co_return std::unexpected{response.error()};
        const auto& answer = response->head();
        const unsigned status = answer.status;
        if (status == 308 && !answer.field("location")) {
            const auto arrived = http::parse_arrived(answer.field("range").value_or(""));
            auto body = co_await link_.body_of(*response, worth_asking);
            if (!body) co_return std::unexpected{body.error()};
            const std::uint64_t stored = arrived.value_or(0);
            co_return stored > source_.size ? 0 : stored;
        }
        if (status / 100 == 2 && digest_in(answer) == digest_) {
            complete_ = true;
            verified_ = true;
            auto body = co_await link_.body_of(*response, worth_asking);
            if (!body) co_return std::unexpected{body.error()};
            co_return source_.size;
        }
        if (status / 100 == 2) {
            // The server stored the empty request as a file; the whole file replaces it.
            takes_parts_ = false;
            static_cast<void>(co_await why_refused(link_, *response));
            co_return std::uint64_t{0};
        }
        co_return std::unexpected{co_await refusal(link_, *response)};
    }

    coro::task<attempt<uploaded>> send_from(std::uint64_t from) {
        const std::uint64_t length = source_.size - from;
        const bool expects = expects_ && length >= worth_asking;
        std::string request = head(length);
        if (in_parts()) {
            request += "Content-Range: " +
                       http::format_content_range(
                           {.part = http::byte_part{.offset = from, .length = length},
                            .total = source_.size}) +
                       "\r\n";
        }
        if (expects) request += "Expect: 100-continue\r\n";
        request += "\r\n";
        if (auto written = co_await link_.say(request); !written) {
            co_return std::unexpected{written.error()};
        }
        if (expects) {
            bool silent = false;
            auto response = co_await link_.answer(wait_for_continue, true, &silent);
            if (!response && !silent) co_return std::unexpected{response.error()};
            if (response && response->head().status != 100) {
                if (response->head().status == 417) {
                    expects_ = false;
                    link_.drop();
                    co_return co_await reopen_and_send(from);
                }
                auto outcome = co_await check_response(*response, from);
                // The announced body was never sent.
                link_.drop();
                co_return outcome;
            }
        }
        progress_.start_at(from);
        progress_.enter(phase::moving);
        http_response_reader response;
        const auto sent = co_await link_.send_and_hear(send_body(from, length), response);
        if (!sent) co_return co_await explain_send_failure(sent.error(), response, from);
        progress_.enter(phase::keeping);
        auto answered = co_await link_.receive_head(
            response, io::after(io::clock::now(), link_.options().timeout * commit_timeout_factor));
        if (!answered) co_return std::unexpected{answered.error()};
        co_return co_await check_response(response, from);
    }

    coro::task<result<void>> send_body(std::uint64_t from, std::uint64_t length) {
        auto sent = co_await at_pace<void>(
            link_.engine(), {.window = link_.options().timeout, .moved_before = progress_.moved()},
            progress_.told(), [&] {
                return transfer::send_file(link_.options().sends, link_.peer(),
                                           {.file = source_.file, .offset = from, .length = length},
                                           progress_.told());
            });
        co_return sent;
    }

    /// The error for a body that was not sent completely: the reason of the server, if it gave one.
    coro::task<attempt<uploaded>> explain_send_failure(error why, http_response_reader& response,
                                                       std::uint64_t from) {
        if (why == fault::ended) {
            co_return failed("the file became shorter while it was sent; nothing was kept");
        }
        if (!is_final(response) && is_of_disk(why)) co_return of_disk("reading the file", why);
        const auto& context = co_await coro::this_context();
        if (!is_final(response) && !context.cancelled()) {
            static_cast<void>(co_await link_.receive_head(
                response, io::after(io::clock::now(), wait_for_continue)));
        }
        if (is_final(response) && response.head().status >= 300) {
            auto outcome = co_await check_response(response, from);
            // The body was not sent to its end.
            link_.drop();
            co_return outcome;
        }
        co_return of_connection("sending the file", why);
    }

    coro::task<attempt<uploaded>> reopen_and_send(std::uint64_t from) {
        if (auto open = co_await link_.open(); !open) co_return std::unexpected{open.error()};
        co_return co_await send_from(from);
    }

    coro::task<attempt<uploaded>> check_response(http_response_reader& response,
                                                 std::uint64_t from) {
        const auto& answer = response.head();
        const unsigned status = answer.status;
        if (is_stored(status)) {
            const auto server_digest = digest_in(answer);
            auto body = co_await link_.body_of(response, worth_asking);
            if (!body) co_return std::unexpected{body.error()};
            if (server_digest && *server_digest != digest_) {
                co_return std::unexpected{
                    damaged("the server has sha256 " + http::to_hex(*server_digest))};
            }
            verified_ = server_digest.has_value();
            replaced_ = status == 204;
            co_return receipt();
        }
        // The server has less than either side assumed: the next attempt asks again.
        if (in_parts() &&
            ((status == 308 && !answer.field("location")) || (status == 409 && from > 0))) {
            auto why = co_await why_refused(link_, response);
            link_.drop();
            co_return std::unexpected{transfer_error{
                .kind = transfer_error_kind::failed,
                .what = "the server has another part of the file than was sent (" + why + ")",
                .may_pass = true}};
        }
        co_return std::unexpected{co_await refusal(link_, response)};
    }

    [[nodiscard]] uploaded receipt() const {
        return {.bytes = source_.size,
                .resumed_from = first_offset_.value_or(0),
                .replaced = replaced_,
                .sha256 = digest_,
                .verified = verified_};
    }

    link& link_;
    upload_source source_;
    std::string path_;
    progress& progress_;
    http::sha256_value digest_{};
    std::uint64_t ahead_ = 0;                    // the most bytes that the server reported
    std::optional<std::uint64_t> first_offset_;  // bytes that the server had at the first query
    std::optional<bool> takes_parts_;            // the answer to OPTIONS; none before it
    unsigned probes_ = 0;
    bool expects_ = true;
    bool complete_ = false;
    bool verified_ = false;
    bool replaced_ = false;
};

/// Connects again, with retries.
coro::task<attempt<void>> connect_to_upload(link& conn, progress& state) {
    conn.drop();
    timeout retry{conn};
    for (;;) {
        state.enter(phase::connecting);
        auto open = co_await conn.open();
        if (open) co_return open;
        state.enter(phase::waiting);
        const bool more = co_await retry.again(open.error(), 0);
        if (!more) co_return open;
    }
}

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
        state.told().add(text.size());
    }
}

/// While bytes are unsent, a close or the end of this process resets the connection: the peer would
/// take an orderly end for the end of the file.
void set_linger_reset(link& conn, bool on) noexcept {
    const linger at_once{.l_onoff = on ? 1 : 0, .l_linger = 0};
    ::setsockopt(conn.peer().fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/// Waits for the orderly end of the peer, which then has kept the bytes.
coro::task<attempt<void>> wait_for_end(link& conn, progress& state) {
    state.enter(phase::keeping);
    set_linger_reset(conn, false);
    conn.peer().shutdown_send();
    const auto deadline =
        io::after(io::clock::now(), conn.options().timeout * commit_timeout_factor);
    std::array<std::byte, 4096> unread{};
    for (;;) {
        auto got =
            co_await io::with_deadline(conn.engine(), conn.peer().recv_into(unread), deadline);
        if (got && *got > 0) continue;
        conn.drop();
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
    set_linger_reset(conn, true);
    state.start_at(0);
    state.enter(phase::moving);
    auto sent = co_await at_pace<void>(
        conn.engine(), {.window = conn.options().timeout, .moved_before = state.moved()},
        state.told(), [&] {
            return transfer::send_file(conn.options().sends, conn.peer(),
                                       {.file = source.file, .offset = 0, .length = source.size},
                                       state.told());
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

/// Connects, sends the head of an upload in chunks, and waits a moment for a refusal: no byte has
/// been read yet of a source that can be read only once.
coro::task<attempt<void>> offer_chunks(link& conn, std::string_view path, progress& state) {
    for (bool expects = true;; expects = false) {
        auto open = co_await connect_to_upload(conn, state);
        if (!open) co_return open;
        auto written = co_await conn.say(fmt::format(
            "PUT {} HTTP/1.1\r\nHost: {}\r\n{}Transfer-Encoding: chunked\r\n"
            "Trailer: Repr-Digest\r\n{}\r\n",
            path, conn.options().authority, agent, expects ? "Expect: 100-continue\r\n" : ""));
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

coro::task<attempt<uploaded>> put_file(link& conn, upload_source source, std::string path,
                                       progress& state) {
    put file{conn, source, std::move(path), state};
    co_return co_await file.run();
}

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
            response,
            io::after(io::clock::now(), sent ? conn.options().timeout * commit_timeout_factor
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
    auto open = co_await connect_to_upload(conn, state);
    if (!open) co_return std::unexpected{open.error()};
    set_linger_reset(conn, true);
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
        state.told().add(piece->text().size());
    }
    auto kept = co_await wait_for_end(conn, state);
    if (!kept) co_return std::unexpected{kept.error()};
    co_return done;
}

}  // namespace sluice::files
