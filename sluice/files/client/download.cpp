// Asks for what is not here yet, and looks at all of it in the end.
#include "sluice/files/client/download.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "sluice/files/client/checksum.hpp"
#include "sluice/files/client/stall.hpp"
#include "sluice/files/digest_crew.hpp"
#include "sluice/http/range.hpp"
#include "sluice/http/url.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/file.hpp"
#include "sluice/os/quiet_thread.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

using http::http_response;
using http::http_response_reader;

// The server may have to read all of a file for its digest before it answers.
constexpr int times_longer_to_begin = 10;
constexpr unsigned most_redirects = 5;
constexpr std::size_t step = std::size_t{256} << 10;

/// A tag that names exactly these bytes; a weak one names what is as good as them.
bool is_strong(std::string_view tag) noexcept {
    return tag.size() >= 2 && tag.starts_with('"') && tag.ends_with('"');
}

/// What it was that is going to another place, fit for a terminal.
std::string shown(std::string_view text) {
    return wire::printable(wire::truncate_utf8(text, 200));
}

coro::task<attempt<void>> finish(link& way, partial_file& into, bool sync) {
    auto named = co_await way.readers().run(way.home(), [&] { return into.finish(sync); });
    if (!named) co_return of_disk("keeping the file", named.error());
    if (!*named) co_return of_disk("keeping the file", named->error());
    co_return attempt<void>{};
}

result<void> write_out(int file) noexcept {
    if (::fdatasync(file) < 0) return failure_of(errno);
    return {};
}

/// One file on its way by GET, into a file or into a stream.
class fetch {
 public:
    fetch(link& way, std::string target, partial_file* file, term::console* stream,
          download_options o, progress& told)
        : way_{way},
          target_{std::move(target)},
          file_{file},
          stream_{stream},
          options_{o},
          told_{told} {}

    coro::task<attempt<downloaded>> run() {
        if (file_ != nullptr && options_.resume) {
            auto left = file_->take_up();
            if (!left) co_return of_disk("looking for what is here already", left.error());
            if (*left) {
                tag_ = (*left)->tag;
                have_ = resumed_from_ = (*left)->size;
            }
        }
        patience left{way_};
        attempt<void> done;
        for (;;) {
            told_.enter(phase::connecting);
            done = co_await once();
            if (done) break;
            told_.enter(phase::waiting);
            const bool more = co_await left.again(done.error(), have_);
            if (!more) break;
        }
        if (done) done = co_await verify();
        if (done && file_ != nullptr) done = co_await finish(way_, *file_, options_.sync);
        if (!done) {
            if (file_ != nullptr && !our_disk_ && done.error().kind != trouble_kind::corrupted) {
                file_->leave_for_later();
            }
            co_return std::unexpected{done.error()};
        }
        co_return downloaded{.bytes = have_, .resumed_from = resumed_from_, .sha256 = digest_};
    }

 private:
    [[nodiscard]] std::string request() const {
        auto text = fmt::format(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: sluice\r\nAccept: */*\r\n"
            "Accept-Encoding: identity\r\nWant-Repr-Digest: sha-256=10\r\n",
            target_, way_.options().authority);
        if (have_ > 0 && !tag_.empty()) {
            text += fmt::format("Range: bytes={}-\r\nIf-Range: {}\r\n", have_, tag_);
        }
        return text + "\r\n";
    }

    coro::task<attempt<void>> once() {
        for (unsigned tries = 0; tries <= most_redirects; ++tries) {
            auto heard = co_await ask();
            if (!heard) co_return std::unexpected{heard.error()};
            const unsigned status = heard->head().status;
            if (status == 206 && file_ != nullptr && have_ > 0 && !goes_on(heard->head())) {
                // Of another version, or another part: all of it once more, in one piece.
                have_ = resumed_from_ = 0;
                tag_.clear();
                way_.drop();
                continue;
            }
            if (status == 200 || status == 206) co_return co_await take(*heard);
            auto another = co_await look_for_another(*heard);
            if (!another) co_return another;
        }
        way_.drop();
        co_return failed("the server sends us around in a circle; give another URL");
    }

    coro::task<attempt<http_response_reader>> ask() {
        auto open = co_await way_.open();
        if (!open) co_return std::unexpected{open.error()};
        auto said = co_await way_.say(request());
        if (!said) co_return std::unexpected{said.error()};
        co_return co_await way_.answer(way_.options().timeout * times_longer_to_begin);
    }

    /// Settles what to ask for instead, if this answer says that there is something.
    coro::task<attempt<void>> look_for_another(http_response_reader& heard) {
        const unsigned status = heard.head().status;
        if (status == 416 && have_ > 0 && file_ != nullptr) {
            // Either all of it is here already, and then the last byte once more says so; or it has
            // become shorter than what is here.
            const auto range =
                http::parse_content_range(heard.head().field("content-range").value_or(""));
            have_ = range && range->total == have_ ? have_ - 1 : 0;
            resumed_from_ = have_;
            static_cast<void>(co_await why_refused(way_, heard));
            co_return attempt<void>{};
        }
        const auto where = heard.head().field("location");
        if (status / 100 == 3 && where) {
            auto moved = follow(std::string{*where});
            static_cast<void>(co_await why_refused(way_, heard));
            co_return moved;
        }
        auto why = co_await why_refused(way_, heard);
        co_return std::unexpected{trouble{.kind = trouble_kind::failed,
                                          .what = "the server refused it: " + why,
                                          .may_pass = may_pass(status)}};
    }

    /// Goes to another place on the same server.
    attempt<void> follow(const std::string& where) {
        std::string next = where;
        if (!where.starts_with('/')) {
            const auto there = http::parse_url(where);
            if (!there || there->authority != way_.options().authority) {
                return failed("the server sends us elsewhere; get it from " + shown(where));
            }
            next = there->target();
        } else if (where.starts_with("//")) {
            return failed("the server sends us elsewhere; get it from " + shown("http:" + where));
        }
        const auto clean = http::parse_url("http://" + way_.options().authority + next);
        if (!clean) return failed("the server sends us to what is no place: " + shown(where));
        if (clean->path.ends_with('/')) {
            return failed("it is a directory; name a file in it, or look at it in a browser");
        }
        target_ = clean->target();
        return {};
    }

    static std::unexpected<trouble> changed() {
        return failed(
            "the file has changed on the server in the middle, and what was written cannot be "
            "taken "
            "back; get it again");
    }

    /// Whether a 206 brings what follows what is here, of the same version: with the tag that was
    /// asked for (RFC 9110, section 15.3.7, wants it in the answer), and with a body as long as the
    /// part it announces.
    [[nodiscard]] bool goes_on(const http_response& head) const {
        const auto range = http::parse_content_range(head.field("content-range").value_or(""));
        return have_ > 0 && range && range->part && range->part->offset == have_ &&
               (!range->total || have_ + range->part->length == *range->total) &&
               (!head.length || *head.length == range->part->length) &&
               head.field("etag").value_or("") == tag_;
    }

    /// Settles what comes: from which place on, how much, and where to.
    attempt<void> take_head(const http_response& head) {
        const auto tag = head.field("etag").value_or("");
        std::optional<std::uint64_t> total = head.length;
        skip_ = 0;
        if (head.status == 206) {
            if (!goes_on(head)) {
                if (have_ > 0 && head.field("etag").value_or("") != tag_) return changed();
                return failed("the server sent another part of the file than was asked for");
            }
            const auto range = http::parse_content_range(head.field("content-range").value_or(""));
            left_ = range->part->length;
            total = range->total;
        } else {
            if (have_ > 0 && stream_ != nullptr) {
                if (!is_strong(tag) || tag != tag_) return changed();
                skip_ = have_;
            }
            left_ = head.length;
            if (stream_ == nullptr) {
                have_ = resumed_from_ = 0;
                follower_.reset();
                if (auto begun = file_->begin(is_strong(tag) ? tag : ""); !begun) {
                    our_disk_ = true;
                    return of_disk("making a file", begun.error());
                }
            }
            tag_ = is_strong(tag) ? tag : "";
        }
        digest_ = std::nullopt;
        take_digest(head);
        if (stream_ == nullptr && (digest_ || head.chunked)) follow();
        told_.start_at(have_);
        told_.set_total(total.value_or(progress::unknown));
        told_.enter(phase::moving);
        return {};
    }

    /// Has somebody read along from here on, what was here before included; unless he does already.
    void follow() {
        const auto base = have_ - told_.moved();
        if (follower_ && follower_base_ == base) return;
        follower_.emplace(crew_, file_->fd(), base, told_.told());
        follower_base_ = base;
        follower_->start();
    }

    void take_digest(const http_response& head) {
        const auto field = head.field("repr-digest");
        if (!field) return;
        if (const auto parsed = http::parse_repr_digest(*field); parsed && *parsed) {
            digest_ = *parsed;
        }
    }

    coro::task<attempt<void>> take(http_response_reader& heard) {
        attempt<void> done = take_head(heard.head());
        if (!done) {
            way_.drop();
            co_return done;
        }
        if (left_ && stream_ == nullptr && !heard.head().chunked) {
            done = co_await take_length(heard);
        } else {
            done = co_await take_pieces(heard);
        }
        if (!done) way_.drop();
        co_return done;
    }

    /// A body of a known length, inside the kernel but for what came with the head.
    coro::task<attempt<void>> take_length(http_response_reader& heard) {
        std::uint64_t left = *left_;
        std::string first = heard.take_rest();
        const bool more_than_all = first.size() > left;
        first.resize(std::min<std::uint64_t>(first.size(), left));
        auto written = co_await deliver(first);
        if (!written) co_return written;
        left -= first.size();
        const auto before = told_.moved();
        result<std::uint64_t> got{0};
        if (left > 0) {
            got = co_await unless_stalled<std::uint64_t>{
                way_.home(),
                transfer::receive_file(
                    way_.options().receives, way_.peer(),
                    {.file = file_->fd(), .offset = have_, .most = left, .expected = left},
                    told_.told()),
                told_.told(), way_.options().timeout};
        }
        const auto moved = told_.moved() - before;
        have_ += moved;
        if (!got) {
            our_disk_ = is_of_disk(got.error());
            if (our_disk_) co_return of_disk("writing the file", got.error());
            co_return of_connection("receiving the file", got.error());
        }
        if (moved < left) co_return of_connection("receiving the file", fault::ended);
        if (more_than_all || !heard.head().keep_alive) way_.drop();
        co_return attempt<void>{};
    }

    /// Any body, through our memory.
    coro::task<attempt<void>> take_pieces(http_response_reader& heard) {
        std::vector<std::byte> room(step);
        std::string piece;
        std::string_view came;
        std::uint64_t arrived = 0;
        for (;;) {
            piece.clear();
            if (auto fed = heard.feed_body(came, piece); !fed) {
                co_return failed("what the server sends makes no sense: " + fed.error());
            }
            arrived += piece.size();
            auto written = co_await deliver(piece);
            if (!written) co_return written;
            if (heard.done()) break;
            auto got = co_await io::with_timeout(way_.home(), way_.peer().recv_into(room),
                                                 way_.options().timeout);
            if (!got) co_return of_connection("receiving the file", got.error());
            if (*got == 0) {
                if (auto ended = heard.finish(); !ended) {
                    co_return of_connection("receiving the file", fault::ended);
                }
                break;
            }
            came = as_text(const_bytes{room}.first(*got));
        }
        if (left_ && arrived != *left_) {
            co_return failed("the server sent a part of another length than it announced");
        }
        // A trailer may bring it.
        take_digest(heard.head());
        way_.settle(heard);
        co_return attempt<void>{};
    }

    coro::task<attempt<void>> deliver(std::string_view piece) {
        if (skip_ > 0) {
            const auto skipped = std::min<std::uint64_t>(skip_, piece.size());
            skip_ -= skipped;
            piece.remove_prefix(static_cast<std::size_t>(skipped));
        }
        if (piece.empty()) co_return attempt<void>{};
        result<std::size_t> written;
        if (stream_ != nullptr) {
            sum_.add(as_bytes(piece));
            written = co_await stream_->send_all(piece);
        } else {
            written = co_await io::write_all_at{way_.home(), file_->fd(), as_bytes(piece), have_};
        }
        if (!written) {
            our_disk_ = true;
            co_return of_disk("writing what came", written.error());
        }
        have_ += piece.size();
        told_.told().add(piece.size());
        co_return attempt<void>{};
    }

    /// What nobody has read along is read now, while the disk writes.
    coro::task<result<http::sha256_value>> digest_of_file() {
        constexpr std::uint64_t slice = std::uint64_t{8} << 20;
        const int file = file_->fd();
        side_job disk;
        auto left = follower_->left(have_);
        told_.checked().add(have_ - left);
        if (options_.sync && left > slice) disk.start([file] { return write_out(file); });
        // By slices, so that it can be cancelled, and seen.
        while (left > 0) {
            const auto now = std::min(left, slice);
            const auto work = [this, end = have_ - left + now] { return follower_->catch_up(end); };
            auto read = co_await way_.readers().run(way_.home(), work);
            if (!read) co_return failure(read.error());
            if (!*read) co_return failure(read->error());
            left -= now;
            told_.checked().add(now);
            // On the blocking engine nobody else would have a chance to cancel this.
            if (!way_.home().blocks()) continue;
            auto still = co_await io::sleep_until{way_.home(), io::clock::now()};
            if (!still) co_return failure(still.error());
        }
        if (disk.started()) {
            auto written = co_await way_.readers().run(way_.home(), [&] { return disk.wait(); });
            if (!written) co_return failure(written.error());
            if (!*written) co_return failure(written->error());
        }
        co_return follower_->finish(have_);
    }

    coro::task<attempt<void>> verify() {
        if (!digest_) co_return attempt<void>{};
        told_.enter(phase::checking);
        http::sha256_value ours{};
        if (stream_ != nullptr) {
            ours = sum_.finish();
        } else {
            auto sum = co_await digest_of_file();
            if (!sum) {
                our_disk_ = true;
                co_return of_disk("reading the file again", sum.error());
            }
            ours = *sum;
        }
        if (ours == *digest_) co_return attempt<void>{};
        co_return std::unexpected{trouble{
            .kind = trouble_kind::corrupted,
            .what = fmt::format("what arrived is not what was sent: its sha256 is {}, and the "
                                "server's is {}; {}",
                                http::to_hex(ours), http::to_hex(*digest_),
                                stream_ != nullptr ? "do not use what was written"
                                                   : "nothing was kept; get it again")}};
    }

    link& way_;
    std::string target_;
    partial_file* file_;
    term::console* stream_;
    download_options options_;
    progress& told_;
    std::string tag_;         // of what is here, if it is strong
    std::uint64_t have_ = 0;  // bytes that are here
    std::uint64_t resumed_from_ = 0;
    std::uint64_t skip_ = 0;             // bytes of the body that were written before
    std::optional<std::uint64_t> left_;  // bytes of the body, if that is known
    std::optional<http::sha256_value> digest_;
    checksum sum_;  // of what went to the stream
    digest_crew crew_;
    std::optional<digest_follower> follower_;  // of what goes into the file
    std::uint64_t follower_base_ = 0;
    bool our_disk_ = false;
};

/// Connects anew, several times if need be.
coro::task<attempt<void>> connect(link& way, progress& told) {
    way.drop();
    patience left{way};
    for (;;) {
        told.enter(phase::connecting);
        auto open = co_await way.open();
        if (open) {
            told.start_at(0);
            told.enter(phase::moving);
            co_return open;
        }
        told.enter(phase::waiting);
        const bool more = co_await left.again(open.error(), 0);
        if (!more) co_return open;
    }
}

}  // namespace

coro::task<attempt<downloaded>> get_file(link& way, std::string target, partial_file& into,
                                         download_options o, progress& told) {
    fetch file{way, std::move(target), &into, nullptr, o, told};
    co_return co_await file.run();
}

coro::task<attempt<downloaded>> get_to(link& way, std::string target, term::console& into,
                                       progress& told) {
    fetch file{way, std::move(target), nullptr, &into, {}, told};
    co_return co_await file.run();
}

coro::task<attempt<downloaded>> receive_file(link& way, partial_file& into, download_options o,
                                             progress& told) {
    auto open = co_await connect(way, told);
    if (!open) co_return std::unexpected{open.error()};
    if (auto begun = into.begin(""); !begun) co_return of_disk("making a file", begun.error());
    auto got = co_await unless_stalled<std::uint64_t>{
        way.home(),
        transfer::receive_file(way.options().receives, way.peer(), {.file = into.fd()},
                               told.told()),
        told.told(), way.options().timeout};
    way.drop();
    if (!got && is_of_disk(got.error())) co_return of_disk("writing the file", got.error());
    if (!got) co_return of_connection("receiving the stream", got.error());
    told.enter(phase::keeping);
    auto named = co_await finish(way, into, o.sync);
    if (!named) co_return std::unexpected{named.error()};
    co_return downloaded{.bytes = *got};
}

coro::task<attempt<downloaded>> receive_to(link& way, term::console& into, progress& told) {
    auto open = co_await connect(way, told);
    if (!open) co_return std::unexpected{open.error()};
    std::vector<std::byte> room(step);
    downloaded done;
    for (;;) {
        auto got = co_await io::with_timeout(way.home(), way.peer().recv_into(room),
                                             way.options().timeout);
        if (!got) {
            way.drop();
            co_return of_connection("receiving the stream", got.error());
        }
        if (*got == 0) break;
        auto written = co_await into.send_all(as_text(const_bytes{room}.first(*got)));
        if (!written) {
            way.drop();
            co_return of_disk("writing what came", written.error());
        }
        done.bytes += *got;
        told.told().add(*got);
    }
    way.drop();
    co_return done;
}

}  // namespace sluice::files
