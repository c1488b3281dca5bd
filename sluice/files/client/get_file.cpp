// Implements get_file and get_to: requests the missing bytes by GET, and verifies the whole file.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "sluice/files/client/download.hpp"
#include "sluice/files/client/download_digest.hpp"
#include "sluice/files/client/redirect.hpp"
#include "sluice/files/pace.hpp"
#include "sluice/http/range.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/file.hpp"

namespace sluice::files {
namespace {

using http::http_response;
using http::http_response_reader;

// Factor of the timeout: the server may read a whole file for its digest first.
constexpr int begin_timeout_factor = 10;
constexpr unsigned max_redirects = 5;
constexpr std::size_t step = std::size_t{256} << 10;

/// A strong tag names exactly these bytes; a weak tag names equivalent ones.
bool is_strong(std::string_view tag) noexcept {
    return tag.size() >= 2 && tag.starts_with('"') && tag.ends_with('"');
}

/// A download by GET, into a file or into a stream.
class fetch {
 public:
    fetch(link& conn, std::string target, partial_file* file, term::console* stream,
          download_options o, progress& state)
        : link_{conn},
          target_{std::move(target)},
          file_{file},
          stream_{stream},
          options_{o},
          progress_{state},
          digest_{conn, state} {}

    coro::task<attempt<downloaded>> run() {
        if (file_ != nullptr && options_.resume) {
            auto partial = file_->take_up();
            if (!partial) co_return of_disk("looking for what is here already", partial.error());
            if (*partial) {
                tag_ = (*partial)->tag;
                have_ = resumed_from_ = (*partial)->size;
            }
        }
        timeout retry{link_};
        attempt<void> done;
        for (;;) {
            progress_.enter(phase::connecting);
            done = co_await fetch_once();
            if (done) break;
            progress_.enter(phase::waiting);
            const bool more = co_await retry.again(done.error(), have_);
            if (!more) break;
        }
        if (done) done = co_await verify();
        if (done && file_ != nullptr) done = co_await give_name();
        if (!done) {
            if (file_ != nullptr && !disk_failed_ &&
                done.error().kind != transfer_error_kind::corrupted) {
                file_->leave_for_later();
            }
            co_return std::unexpected{done.error()};
        }
        co_return downloaded{
            .bytes = have_, .resumed_from = resumed_from_, .sha256 = digest_.expected()};
    }

 private:
    [[nodiscard]] std::string request() const {
        auto text = fmt::format(
            "GET {} HTTP/1.1\r\nHost: {}\r\n{}User-Agent: sluice\r\nAccept: */*\r\n"
            "Accept-Encoding: identity\r\nWant-Repr-Digest: sha-256=10\r\n",
            target_, link_.options().authority, link_.options().authorization);
        if (have_ > 0 && !tag_.empty()) {
            text += fmt::format("Range: bytes={}-\r\nIf-Range: {}\r\n", have_, tag_);
        }
        return text + "\r\n";
    }

    coro::task<attempt<void>> fetch_once() {
        for (unsigned tries = 0; tries <= max_redirects; ++tries) {
            auto response = co_await send_request();
            if (!response) co_return std::unexpected{response.error()};
            const unsigned status = response->head().status;
            if (status == 206 && file_ != nullptr && have_ > 0 && !continues(response->head())) {
                // Another version, or another part: request the whole file again.
                have_ = resumed_from_ = 0;
                tag_.clear();
                link_.drop();
                continue;
            }
            if (status == 200 || status == 206) co_return co_await receive_body(*response);
            auto next = co_await redirect_or_fail(*response);
            if (!next) co_return next;
        }
        link_.drop();
        co_return failed("the server sends us around in a circle; give another URL");
    }

    coro::task<attempt<http_response_reader>> send_request() {
        auto open = co_await link_.open();
        if (!open) co_return std::unexpected{open.error()};
        auto sent = co_await link_.say(request());
        if (!sent) co_return std::unexpected{sent.error()};
        co_return co_await link_.answer(link_.options().timeout * begin_timeout_factor);
    }

    /// Prepares the next request after a 416 or a redirect; any other response is an error.
    coro::task<attempt<void>> redirect_or_fail(http_response_reader& response) {
        const unsigned status = response.head().status;
        if (status == 416 && have_ > 0 && file_ != nullptr) {
            // Either the file is complete, and the request of its last byte confirms that; or it is
            // now shorter than the bytes that are here.
            const auto range =
                http::parse_content_range(response.head().field("content-range").value_or(""));
            have_ = range && range->total == have_ ? have_ - 1 : 0;
            resumed_from_ = have_;
            static_cast<void>(co_await why_refused(link_, response));
            co_return attempt<void>{};
        }
        const auto location = response.head().field("location");
        if (status / 100 == 3 && location) {
            auto redirected = redirect_target(std::string{*location}, link_.options().authority);
            static_cast<void>(co_await why_refused(link_, response));
            if (!redirected) co_return std::unexpected{redirected.error()};
            target_ = std::move(*redirected);
            co_return attempt<void>{};
        }
        auto why = co_await why_refused(link_, response);
        co_return std::unexpected{transfer_error{.kind = transfer_error_kind::failed,
                                                 .what = "the server refused it: " + why,
                                                 .may_pass = may_pass(status)}};
    }

    static std::unexpected<transfer_error> changed() {
        return failed(
            "the file has changed on the server in the middle, and what was written cannot be "
            "taken "
            "back; get it again");
    }

    /// Whether a 206 continues the file in the same version: with the requested tag (RFC 9110,
    /// section 15.3.7, requires it in the response), and with a body as long as the part it
    /// announces.
    [[nodiscard]] bool continues(const http_response& head) const {
        const auto range = http::parse_content_range(head.field("content-range").value_or(""));
        return have_ > 0 && range && range->part && range->part->offset == have_ &&
               (!range->total || have_ + range->part->length == *range->total) &&
               (!head.length || *head.length == range->part->length) &&
               head.field("etag").value_or("") == tag_;
    }

    /// Sets offset, length and destination of the body from its head.
    attempt<void> apply_head(const http_response& head) {
        const auto tag = head.field("etag").value_or("");
        std::optional<std::uint64_t> total = head.length;
        skip_ = 0;
        if (head.status == 206) {
            if (!continues(head)) {
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
                digest_.stop_following();
                if (auto begun = file_->begin(is_strong(tag) ? tag : ""); !begun) {
                    disk_failed_ = true;
                    return of_disk("making a file", begun.error());
                }
            }
            tag_ = is_strong(tag) ? tag : "";
        }
        digest_.expect_none();
        digest_.expect(head);
        if (stream_ == nullptr && (digest_.expected() || head.chunked)) {
            digest_.follow(file_->fd(), have_);
        }
        progress_.start_at(have_);
        progress_.set_total(total.value_or(progress::unknown));
        progress_.enter(phase::moving);
        return {};
    }

    coro::task<attempt<void>> receive_body(http_response_reader& response) {
        attempt<void> done = apply_head(response.head());
        if (!done) {
            link_.drop();
            co_return done;
        }
        if (left_ && stream_ == nullptr && !response.head().chunked) {
            done = co_await receive_sized(response);
        } else {
            done = co_await receive_pieces(response);
        }
        if (!done) link_.drop();
        co_return done;
    }

    /// Receives a body of known length, past its first bytes by transfer::receive_file().
    coro::task<attempt<void>> receive_sized(http_response_reader& response) {
        std::uint64_t left = *left_;
        std::string first = response.take_rest();
        const bool more_than_all = first.size() > left;
        first.resize(std::min<std::uint64_t>(first.size(), left));
        auto written = co_await deliver(first);
        if (!written) co_return written;
        left -= first.size();
        const auto before = progress_.of_this_attempt();
        result<std::uint64_t> got{0};
        if (left > 0) {
            got = co_await at_pace<std::uint64_t>(
                link_.engine(), {.window = link_.options().timeout, .moved_before = before},
                progress_.transferred(), [&] {
                    return transfer::receive_file(
                        link_.options().receives, link_.peer(),
                        {.file = file_->fd(), .offset = have_, .most = left, .expected = left},
                        progress_.transferred());
                });
        }
        const auto received = progress_.of_this_attempt() - before;
        have_ += received;
        if (!got) {
            disk_failed_ = is_of_disk(got.error());
            if (disk_failed_) co_return of_disk("writing the file", got.error());
            co_return of_connection("receiving the file", got.error());
        }
        if (received < left) co_return of_connection("receiving the file", fault::ended);
        if (more_than_all || !response.head().keep_alive) link_.drop();
        co_return attempt<void>{};
    }

    /// Receives any body, through a buffer.
    coro::task<attempt<void>> receive_pieces(http_response_reader& response) {
        std::vector<std::byte> buffer(step);
        std::string piece;
        std::string_view input;
        std::uint64_t arrived = 0;
        for (;;) {
            piece.clear();
            if (auto fed = response.feed_body(input, piece); !fed) {
                co_return failed("what the server sends makes no sense: " + fed.error());
            }
            arrived += piece.size();
            auto written = co_await deliver(piece);
            if (!written) co_return written;
            if (response.done()) break;
            auto got = co_await io::with_timeout(link_.engine(), link_.peer().recv_into(buffer),
                                                 link_.options().timeout);
            if (!got) co_return of_connection("receiving the file", got.error());
            if (*got == 0) {
                if (auto ended = response.finish(); !ended) {
                    co_return of_connection("receiving the file", fault::ended);
                }
                break;
            }
            input = as_text(const_bytes{buffer}.first(*got));
        }
        if (left_ && arrived != *left_) {
            co_return failed("the server sent a part of another length than it announced");
        }
        // A trailer may have the digest.
        digest_.expect(response.head());
        link_.settle(response);
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
            digest_.add(as_bytes(piece));
            written = co_await stream_->send_all(piece);
        } else {
            written =
                co_await io::write_all_at{link_.engine(), file_->fd(), as_bytes(piece), have_};
        }
        if (!written) {
            disk_failed_ = true;
            co_return of_disk("writing what came", written.error());
        }
        have_ += piece.size();
        progress_.transferred().add(piece.size());
        co_return attempt<void>{};
    }

    coro::task<attempt<void>> verify() {
        if (!digest_.expected()) co_return attempt<void>{};
        progress_.enter(phase::checking);
        if (stream_ != nullptr) {
            co_return digest_.compare(digest_.of_stream(), "do not use what was written");
        }
        auto actual = co_await digest_.of_file(have_, options_.sync);
        if (!actual) {
            disk_failed_ = true;
            co_return of_disk("reading the file again", actual.error());
        }
        co_return digest_.compare(*actual, "nothing was kept; get it again");
    }

    coro::task<attempt<void>> give_name() {
        auto named = co_await link_.readers().run(link_.engine(),
                                                  [&] { return file_->finish(options_.sync); });
        if (!named) co_return of_disk("keeping the file", named.error());
        co_return attempt<void>{};
    }

    link& link_;
    std::string target_;
    partial_file* file_;
    term::console* stream_;
    download_options options_;
    progress& progress_;
    std::string tag_;         // strong tag of the bytes that are here, else empty
    std::uint64_t have_ = 0;  // bytes of the file that are here
    std::uint64_t resumed_from_ = 0;
    std::uint64_t skip_ = 0;             // bytes of the body that the stream has already
    std::optional<std::uint64_t> left_;  // bytes of the body, if known
    download_digest digest_;
    bool disk_failed_ = false;
};

}  // namespace

coro::task<attempt<downloaded>> get_file(link& conn, std::string target, partial_file& into,
                                         download_options o, progress& state) {
    fetch file{conn, std::move(target), &into, nullptr, o, state};
    co_return co_await file.run();
}

coro::task<attempt<downloaded>> get_to(link& conn, std::string target, term::console& into,
                                       progress& state) {
    fetch file{conn, std::move(target), nullptr, &into, {}, state};
    co_return co_await file.run();
}

}  // namespace sluice::files
