// Asks how much is there, sends the rest, and looks at what the server says it has.
#include "sluice/files/client/upload.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "sluice/coro/context.hpp"
#include "sluice/files/client/checksum.hpp"
#include "sluice/files/client/stall.hpp"
#include "sluice/http/range.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

using namespace std::chrono_literals;
using http::http_response;
using http::http_response_reader;

// Smaller ones are sent as soon as it takes to ask whether they are welcome.
constexpr std::uint64_t worth_asking = std::uint64_t{64} << 10;
// RFC 9110, section 10.1.1: a server that knows no Expect just waits for the body.
constexpr io::duration wait_for_continue = 1s;
// A server that has everything may have gigabytes to sync and to check.
constexpr int times_longer_to_keep = 10;

// Two connections that broke on a question are its answer.
constexpr unsigned most_asked_for_parts = 2;

constexpr std::string_view agent = "User-Agent: sluice\r\n";

std::optional<http::sha256_value> digest_in(const http_response& head) {
    const auto field = head.field("repr-digest");
    if (!field) return std::nullopt;
    const auto parsed = http::parse_repr_digest(*field);
    return parsed ? *parsed : std::nullopt;
}

trouble damaged(const std::string& why) {
    return {.kind = trouble_kind::corrupted,
            .what = "what arrived is not what was sent: " + why +
                    "; if the file was not written to meanwhile, look for bad memory or disks"};
}

/// Whether a file is kept now: a success (2xx), but neither "later" (202) nor a list of several
/// (207, RFC 4918, section 11.1).
bool is_stored(unsigned status) noexcept {
    return status / 100 == 2 && status != 202 && status != 207;
}

/// An answer that refuses an upload, in words.
coro::task<trouble> refusal(link& way, http_response_reader& heard) {
    const unsigned status = heard.head().status;
    std::string elsewhere;
    if (const auto where = heard.head().field("location"); where && status / 100 == 3) {
        elsewhere = *where;
    }
    auto why = co_await why_refused(way, heard);
    if (status == 422) co_return damaged("the server says " + why);
    if (!elsewhere.empty()) {
        co_return trouble{.kind = trouble_kind::failed,
                          .what = "the server sends us elsewhere; put it at " +
                                  wire::printable(wire::truncate_utf8(elsewhere, 200))};
    }
    co_return trouble{.kind = trouble_kind::failed,
                      .what = "the server refused it: " + why,
                      .may_pass = may_pass(status)};
}

/// One file on its way by PUT.
class put {
 public:
    put(link& way, upload_source what, std::string path, progress& told)
        : way_{way}, what_{what}, path_{std::move(path)}, told_{told} {}

    coro::task<attempt<uploaded>> run() {
        told_.set_total(what_.size);
        told_.enter(phase::checking);
        auto sum = co_await checksum_of(way_.home(), way_.readers(), what_.file, what_.size,
                                        told_.checked());
        if (!sum) co_return of_disk("reading the file", sum.error());
        digest_ = *sum;
        patience left{way_};
        for (;;) {
            told_.enter(phase::connecting);
            auto done = co_await once();
            if (done) co_return done;
            told_.enter(phase::waiting);
            const bool more = co_await left.again(done.error(), ahead_);
            if (!more) co_return done;
        }
    }

 private:
    coro::task<attempt<uploaded>> once() {
        if (auto open = co_await way_.open(); !open) co_return std::unexpected{open.error()};
        if (what_.size >= worth_resuming && !takes_parts_) {
            if (auto asked = co_await ask_for_parts(); !asked) {
                co_return std::unexpected{asked.error()};
            }
            if (auto open = co_await way_.open(); !open) co_return std::unexpected{open.error()};
        }
        std::uint64_t from = 0;
        if (in_parts()) {
            auto there = co_await ask_how_far();
            if (!there) co_return std::unexpected{there.error()};
            if (complete_) {
                if (!from_before_) from_before_ = what_.size;
                co_return receipt();
            }
            from = *there;
            ahead_ = std::max(ahead_, from);
            if (!from_before_) from_before_ = from;
            // It may have closed the connection that it answered on.
            if (auto open = co_await way_.open(); !open) co_return std::unexpected{open.error()};
        }
        co_return co_await send_from(from);
    }

    [[nodiscard]] bool in_parts() const noexcept { return takes_parts_.value_or(false); }

    [[nodiscard]] std::string head(std::uint64_t length) const {
        return fmt::format(
            "PUT {} HTTP/1.1\r\nHost: {}\r\n{}Content-Length: {}\r\nRepr-Digest: {}\r\n", path_,
            way_.options().authority, agent, length, http::format_repr_digest(digest_));
    }

    /// Learns whether the server says that it takes files in parts, by a request that is safe (RFC
    /// 9110, section 9.2.1): to any other server a PUT with Content-Range may be a whole file, and
    /// replaces what is there (section 14.5).
    coro::task<attempt<void>> ask_for_parts() {
        ++asked_for_parts_;
        auto said = co_await way_.say(fmt::format("OPTIONS {} HTTP/1.1\r\nHost: {}\r\n{}\r\n",
                                                  path_, way_.options().authority, agent));
        attempt<http_response_reader> heard = std::unexpected{said ? trouble{} : said.error()};
        if (said) heard = co_await way_.answer(way_.options().timeout);
        if (!heard) {
            if (heard.error().kind == trouble_kind::cancelled) {
                co_return std::unexpected{heard.error()};
            }
            // A server that answers OPTIONS by hanging up may still take a PUT.
            if (asked_for_parts_ < most_asked_for_parts) co_return std::unexpected{heard.error()};
            takes_parts_ = false;
            way_.drop();
            co_return attempt<void>{};
        }
        const auto& answer = heard->head();
        takes_parts_ = answer.status / 100 == 2 && answer.field("accept-content-range") == "bytes";
        auto body = co_await way_.body_of(*heard, worth_asking);
        if (!body) way_.drop();
        co_return attempt<void>{};
    }

    /// How many bytes are there.
    coro::task<attempt<std::uint64_t>> ask_how_far() {
        const auto question =
            head(0) + "Content-Range: " +
            http::format_content_range({.part = std::nullopt, .total = what_.size}) + "\r\n\r\n";
        if (auto said = co_await way_.say(question); !said) {
            co_return std::unexpected{said.error()};
        }
        auto heard = co_await way_.answer(way_.options().timeout);
        if (!heard) co_return std::unexpected{heard.error()};
        const auto& answer = heard->head();
        const unsigned status = answer.status;
        if (status == 308 && !answer.field("location")) {
            const auto arrived = http::parse_arrived(answer.field("range").value_or(""));
            auto body = co_await way_.body_of(*heard, worth_asking);
            if (!body) co_return std::unexpected{body.error()};
            const std::uint64_t there = arrived.value_or(0);
            co_return there > what_.size ? 0 : there;
        }
        if (status / 100 == 2 && digest_in(answer) == digest_) {
            complete_ = true;
            verified_ = true;
            auto body = co_await way_.body_of(*heard, worth_asking);
            if (!body) co_return std::unexpected{body.error()};
            co_return what_.size;
        }
        if (status / 100 == 2) {
            // It took the question for a file; the whole one replaces that.
            takes_parts_ = false;
            static_cast<void>(co_await why_refused(way_, *heard));
            co_return std::uint64_t{0};
        }
        co_return std::unexpected{co_await refusal(way_, *heard)};
    }

    coro::task<attempt<uploaded>> send_from(std::uint64_t from) {
        const std::uint64_t length = what_.size - from;
        const bool expects = expects_ && length >= worth_asking;
        std::string request = head(length);
        if (in_parts()) {
            request += "Content-Range: " +
                       http::format_content_range(
                           {.part = http::byte_part{.offset = from, .length = length},
                            .total = what_.size}) +
                       "\r\n";
        }
        if (expects) request += "Expect: 100-continue\r\n";
        request += "\r\n";
        if (auto said = co_await way_.say(request); !said) {
            co_return std::unexpected{said.error()};
        }
        if (expects) {
            bool silent = false;
            auto heard = co_await way_.answer(wait_for_continue, true, &silent);
            if (!heard && !silent) co_return std::unexpected{heard.error()};
            if (heard && heard->head().status != 100) {
                if (heard->head().status == 417) {
                    expects_ = false;
                    way_.drop();
                    co_return co_await reopened_send_from(from);
                }
                auto outcome = co_await judge(*heard, from);
                // A body was announced that never came.
                way_.drop();
                co_return outcome;
            }
        }
        told_.start_at(from);
        told_.enter(phase::moving);
        http_response_reader heard;
        const auto sent = co_await way_.send_and_hear(send_body(from, length), heard);
        if (!sent) co_return co_await why_not_sent(sent.error(), heard, from);
        told_.enter(phase::keeping);
        auto answered = co_await way_.hear(
            heard, io::after(io::clock::now(), way_.options().timeout * times_longer_to_keep));
        if (!answered) co_return std::unexpected{answered.error()};
        co_return co_await judge(heard, from);
    }

    coro::task<result<void>> send_body(std::uint64_t from, std::uint64_t length) {
        co_return co_await unless_stalled<void>{
            way_.home(),
            transfer::send_file(way_.options().sends, way_.peer(),
                                {.file = what_.file, .offset = from, .length = length},
                                told_.told()),
            told_.told(), way_.options().timeout};
    }

    /// What is to be said of a body that did not go out whole: the server's reason, if it gave one.
    coro::task<attempt<uploaded>> why_not_sent(error why, http_response_reader& heard,
                                               std::uint64_t from) {
        if (why == fault::ended) {
            co_return failed("the file became shorter while it was sent; nothing was kept");
        }
        if (!is_final(heard) && is_of_disk(why)) co_return of_disk("reading the file", why);
        const auto& here = co_await coro::this_context();
        if (!is_final(heard) && !here.cancelled()) {
            static_cast<void>(
                co_await way_.hear(heard, io::after(io::clock::now(), wait_for_continue)));
        }
        if (is_final(heard) && heard.head().status >= 300) {
            auto outcome = co_await judge(heard, from);
            // A body was begun that never came to its end.
            way_.drop();
            co_return outcome;
        }
        co_return of_connection("sending the file", why);
    }

    coro::task<attempt<uploaded>> reopened_send_from(std::uint64_t from) {
        if (auto open = co_await way_.open(); !open) co_return std::unexpected{open.error()};
        co_return co_await send_from(from);
    }

    coro::task<attempt<uploaded>> judge(http_response_reader& heard, std::uint64_t from) {
        const auto& answer = heard.head();
        const unsigned status = answer.status;
        if (is_stored(status)) {
            const auto theirs = digest_in(answer);
            auto body = co_await way_.body_of(heard, worth_asking);
            if (!body) co_return std::unexpected{body.error()};
            if (theirs && *theirs != digest_) {
                co_return std::unexpected{
                    damaged("the server has sha256 " + http::to_hex(*theirs))};
            }
            verified_ = theirs.has_value();
            replaced_ = status == 204;
            co_return receipt();
        }
        // Less is there than either side thought: the next attempt asks again.
        if (in_parts() &&
            ((status == 308 && !answer.field("location")) || (status == 409 && from > 0))) {
            auto why = co_await why_refused(way_, heard);
            way_.drop();
            co_return std::unexpected{trouble{
                .kind = trouble_kind::failed,
                .what = "the server has another part of the file than was sent (" + why + ")",
                .may_pass = true}};
        }
        co_return std::unexpected{co_await refusal(way_, heard)};
    }

    [[nodiscard]] uploaded receipt() const {
        return {.bytes = what_.size,
                .resumed_from = from_before_.value_or(0),
                .replaced = replaced_,
                .sha256 = digest_,
                .verified = verified_};
    }

    link& way_;
    upload_source what_;
    std::string path_;
    progress& told_;
    http::sha256_value digest_{};
    std::uint64_t ahead_ = 0;                   // the most that the server ever said to have
    std::optional<std::uint64_t> from_before_;  // what it had when it was asked first
    std::optional<bool> takes_parts_;           // whether the server said so, once it was asked
    unsigned asked_for_parts_ = 0;
    bool expects_ = true;
    bool complete_ = false;
    bool verified_ = false;
    bool replaced_ = false;
};

/// Connects anew, several times if need be.
coro::task<attempt<void>> connect_to_upload(link& way, progress& told) {
    way.drop();
    patience left{way};
    for (;;) {
        told.enter(phase::connecting);
        auto open = co_await way.open();
        if (open) co_return open;
        told.enter(phase::waiting);
        const bool more = co_await left.again(open.error(), 0);
        if (!more) co_return open;
    }
}

/// Sends all that `from` brings as chunks (RFC 9112, section 7.1), and the digest behind them;
/// `done` says what was sent. What went wrong is in `broken`: then the connection is cancelled,
/// too.
coro::task<result<void>> send_chunks(link& way, term::console& from, progress& told, uploaded& done,
                                     std::optional<trouble>& broken) {
    checksum sum;
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
        auto said = co_await way.say(chunk);
        if (!said) {
            broken = said.error();
            co_return failure(fault::ended);
        }
        if (text.empty()) co_return result<void>{};
        done.bytes += text.size();
        told.told().add(text.size());
    }
}

/// Until everything is sent, the end of this process, too, is a reset: less than all would look
/// like all of it.
void reset_when_closed(link& way, bool on) noexcept {
    const linger at_once{.l_onoff = on ? 1 : 0, .l_linger = 0};
    ::setsockopt(way.peer().fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/// The other side's end, in order: then it has kept what it got.
coro::task<attempt<void>> wait_for_end(link& way, progress& told) {
    told.enter(phase::keeping);
    reset_when_closed(way, false);
    way.peer().finish_sending();
    const auto deadline = io::after(io::clock::now(), way.options().timeout * times_longer_to_keep);
    std::array<std::byte, 4096> unread{};
    for (;;) {
        auto got = co_await io::with_deadline(way.home(), way.peer().recv_into(unread), deadline);
        if (got && *got > 0) continue;
        way.drop();
        if (got) co_return attempt<void>{};
        if (got.error().is(ECONNRESET)) {
            co_return failed(
                "the other side had everything and did not keep it: it reset the connection; what "
                "it has to say stands in its own log");
        }
        auto lost = of_connection("waiting until the other side has kept it", got.error());
        // It may have been kept: once more could be twice.
        lost.error().may_pass = false;
        co_return lost;
    }
}

coro::task<attempt<uploaded>> stream_once(link& way, upload_source what, progress& told) {
    reset_when_closed(way, true);
    told.start_at(0);
    told.enter(phase::moving);
    auto sent = co_await unless_stalled<void>{
        way.home(),
        transfer::send_file(way.options().sends, way.peer(),
                            {.file = what.file, .offset = 0, .length = what.size}, told.told()),
        told.told(), way.options().timeout};
    if (!sent) {
        way.drop();
        if (sent.error() == fault::ended) {
            co_return failed("the file became shorter while it was sent; nothing was kept");
        }
        if (is_of_disk(sent.error())) co_return of_disk("reading the file", sent.error());
        co_return of_connection("sending the file", sent.error());
    }
    auto kept = co_await wait_for_end(way, told);
    if (!kept) co_return std::unexpected{kept.error()};
    co_return uploaded{.bytes = what.size};
}

/// Connects, sends the head of an upload in chunks, and waits a moment for a refusal: nothing has
/// been read of what may come only once.
coro::task<attempt<void>> offer_chunks(link& way, std::string_view path, progress& told) {
    for (bool expects = true;; expects = false) {
        auto open = co_await connect_to_upload(way, told);
        if (!open) co_return open;
        auto said = co_await way.say(fmt::format(
            "PUT {} HTTP/1.1\r\nHost: {}\r\n{}Transfer-Encoding: chunked\r\n"
            "Trailer: Repr-Digest\r\n{}\r\n",
            path, way.options().authority, agent, expects ? "Expect: 100-continue\r\n" : ""));
        if (!said) co_return std::unexpected{said.error()};
        if (!expects) co_return attempt<void>{};
        bool silent = false;
        auto early = co_await way.answer(wait_for_continue, true, &silent);
        if (!early && !silent) co_return std::unexpected{early.error()};
        if (!early || early->head().status == 100) co_return attempt<void>{};
        // It can be tried without the question.
        if (early->head().status == 417) continue;
        auto why = co_await refusal(way, *early);
        way.drop();
        why.may_pass = false;
        co_return std::unexpected{why};
    }
}

}  // namespace

coro::task<attempt<uploaded>> put_file(link& way, upload_source what, std::string path,
                                       progress& told) {
    put file{way, what, std::move(path), told};
    co_return co_await file.run();
}

coro::task<attempt<uploaded>> put_stream(link& way, term::console& from, std::string path,
                                         progress& told) {
    auto invited = co_await offer_chunks(way, path, told);
    if (!invited) co_return std::unexpected{invited.error()};
    told.start_at(0);
    told.enter(phase::moving);
    uploaded done;
    std::optional<trouble> broken;
    http_response_reader heard;
    const auto sent = co_await way.send_and_hear(send_chunks(way, from, told, done, broken), heard);
    const auto& here = co_await coro::this_context();
    attempt<void> answered;
    const bool of_server = !broken || broken->kind == trouble_kind::unreachable;
    if (!is_final(heard) && of_server && !here.cancelled()) {
        told.enter(phase::keeping);
        answered = co_await way.hear(
            heard, io::after(io::clock::now(), sent ? way.options().timeout * times_longer_to_keep
                                                    : io::duration{wait_for_continue}));
    }
    const bool refused = is_final(heard) && heard.head().status >= 300;
    if (!sent && !refused) {
        way.drop();
        if (broken) co_return std::unexpected{*broken};
        co_return of_connection("sending", sent.error());
    }
    if (!answered) {
        way.drop();
        co_return std::unexpected{answered.error()};
    }
    if (!is_stored(heard.head().status)) {
        auto why = co_await refusal(way, heard);
        // What was read is gone.
        way.drop();
        why.may_pass = false;
        co_return std::unexpected{why};
    }
    const unsigned status = heard.head().status;
    const auto theirs = digest_in(heard.head());
    auto body = co_await way.body_of(heard, worth_asking);
    if (!body) way.drop();
    if (theirs && *theirs != *done.sha256) {
        co_return std::unexpected{damaged("the server has sha256 " + http::to_hex(*theirs))};
    }
    done.verified = theirs.has_value();
    done.replaced = status == 204;
    co_return done;
}

coro::task<attempt<uploaded>> stream_file(link& way, upload_source what, progress& told) {
    told.set_total(what.size);
    patience left{way};
    for (;;) {
        way.drop();
        told.enter(phase::connecting);
        auto open = co_await way.open();
        attempt<uploaded> done;
        if (open) {
            done = co_await stream_once(way, what, told);
        } else {
            done = std::unexpected{open.error()};
        }
        if (done) co_return done;
        told.enter(phase::waiting);
        const bool more = co_await left.again(done.error(), 0);
        if (!more) co_return done;
    }
}

coro::task<attempt<uploaded>> stream_all(link& way, term::console& from, progress& told) {
    auto open = co_await connect_to_upload(way, told);
    if (!open) co_return std::unexpected{open.error()};
    reset_when_closed(way, true);
    told.start_at(0);
    told.enter(phase::moving);
    uploaded done;
    for (;;) {
        auto piece = co_await from.recv();
        attempt<void> said;
        if (!piece) {
            said = of_disk("reading what is to be sent", piece.error());
        } else if (!piece->empty()) {
            said = co_await way.say(piece->text());
        } else {
            break;
        }
        if (!said) {
            way.drop();
            co_return std::unexpected{said.error()};
        }
        done.bytes += piece->text().size();
        told.told().add(piece->text().size());
    }
    auto kept = co_await wait_for_end(way, told);
    if (!kept) co_return std::unexpected{kept.error()};
    co_return done;
}

}  // namespace sluice::files
