// Implements put_file: asks how much the server has, sends the rest, verifies the response.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "sluice/coro/context.hpp"
#include "sluice/files/client/put_response.hpp"
#include "sluice/files/client/upload.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/files/pace.hpp"
#include "sluice/http/range.hpp"
#include "sluice/io/deadline.hpp"

namespace sluice::files {
namespace {

using http::http_response_reader;

// Two connections that broke on OPTIONS mean: no parts.
constexpr unsigned max_probes = 2;

/// The SHA-256 of the source, read 8 MiB at a time, so that it can be cancelled. fault::ended where
/// the file is shorter than the source says; errno of pread(2).
coro::task<result<http::sha256_value>> digest_of_source(link& conn, const upload_source& source,
                                                        transfer::byte_counter& counter) {
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
            "PUT {} HTTP/1.1\r\nHost: {}\r\n{}{}Content-Length: {}\r\nRepr-Digest: {}\r\n", path_,
            link_.options().authority, link_.options().authorization, agent_field, length,
            http::format_repr_digest(digest_));
    }

    /// Asks whether the server takes files in parts, by a request that is safe (RFC 9110, section
    /// 9.2.1): to any other server a PUT with Content-Range may be a whole file, and replaces the
    /// stored one (section 14.5).
    coro::task<attempt<void>> probe_parts() {
        ++probes_;
        auto written = co_await link_.say(fmt::format("OPTIONS {} HTTP/1.1\r\nHost: {}\r\n{}{}\r\n",
                                                      path_, link_.options().authority,
                                                      link_.options().authorization, agent_field));
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
            response, io::after(io::clock::now(), link_.options().commit_timeout()));
        if (!answered) co_return std::unexpected{answered.error()};
        co_return co_await check_response(response, from);
    }

    coro::task<result<void>> send_body(std::uint64_t from, std::uint64_t length) {
        auto sent = co_await at_pace<void>(
            link_.engine(),
            {.window = link_.options().timeout, .moved_before = progress_.of_this_attempt()},
            progress_.transferred(), [&] {
                return transfer::send_file(link_.options().sends, link_.peer(),
                                           {.file = source_.file, .offset = from, .length = length},
                                           progress_.transferred());
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

}  // namespace

coro::task<attempt<uploaded>> put_file(link& conn, upload_source source, std::string path,
                                       progress& state) {
    put file{conn, source, std::move(path), state};
    co_return co_await file.run();
}

}  // namespace sluice::files
