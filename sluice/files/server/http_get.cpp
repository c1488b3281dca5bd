// Implements GET and HEAD of files, byte ranges of files, and directories.
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/base/relaxed.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/files/server/beneath.hpp"
#include "sluice/files/server/http_conditions.hpp"
#include "sluice/files/server/http_digest.hpp"
#include "sluice/files/server/http_exchange.hpp"
#include "sluice/files/server/http_listing.hpp"
#include "sluice/files/server/lasting_transfer.hpp"
#include "sluice/files/server/media_type.hpp"
#include "sluice/files/server/pace.hpp"
#include "sluice/http/accept.hpp"
#include "sluice/http/content_disposition.hpp"
#include "sluice/http/content_type.hpp"
#include "sluice/http/date.hpp"
#include "sluice/http/entity_tag.hpp"
#include "sluice/http/percent.hpp"
#include "sluice/http/range.hpp"
#include "sluice/http/text.hpp"
#include "sluice/transfer/to_socket.hpp"

namespace sluice::files {
namespace {

using http::http_field;

// A part up to this size is copied after its head, and both leave in one call;
// transfer::send_file() sends a larger one.
constexpr std::uint64_t copied_file_size = std::uint64_t{32} * 1024;
// Ranges per response; a request for more gets the whole file.
constexpr std::size_t max_parts = 64;

bool has_body(const http_exchange& x) noexcept {
    return x.request().method == http::http_method::get;
}

/// Whether If-Range, if there is one, matches the state of the file (RFC 9110, section 13.1.5).
bool range_is_of_this(const http::http_request& r, const struct stat& file) {
    if (!r.has(http_field::if_range)) return true;
    const auto known = r.field(http_field::if_range);
    if (http::is_entity_tag(known)) return known == entity_tag_of(file);
    // A date distinguishes two states only where the file did not change within its second.
    const auto date = http::parse_http_date(known);
    const std::chrono::sys_seconds changed{std::chrono::seconds{file.st_mtim.tv_sec}};
    return date && *date == changed && wall_clock() - changed > std::chrono::seconds{2};
}

/// Validators of the file. Another file may get its name at any time, so a cache has to revalidate.
void add_validators(reply_text& to, const struct stat& file) {
    to.field("Last-Modified", remembered_date(last_modified(file)));
    add_entity_tag(to.add("ETag: "), file);
    to.add("\r\nAccept-Ranges: bytes\r\nCache-Control: no-cache\r\n");
}

/// One response with a file, its parts, or neither.
class file_answer {
 public:
    file_answer(http_exchange& x, found_file found) : x_{x}, found_{std::move(found)} {}

    coro::task<void> run() {
        switch (judge_conditions(x_.request(), &found_.now, true)) {
            case condition::failed:
                x_.response().refuse(412, "the file is not in the state that was asked for");
                co_return;
            case condition::not_modified:
                add_validators(x_.response().reply(304), found_.now);
                x_.response().end_head();
                co_return;
            case condition::holds: break;
        }
        const auto wanted = http::wants_sha256(x_.request().field(http_field::want_repr_digest));
        if (wanted.value_or(true)) digest_ = remembered_digest(found_.file.get(), found_.now);
        if (!digest_ && wanted.value_or(false)) {
            digest_ = co_await make_digest_for(x_, found_.file.get(), found_.now);
            if (x_.lost()) co_return;
        }
        type_ = media_type_of(found_.file.get(), found_.now, x_.path(), kept_type_);
        // A wait for the digest may have moved the request.
        const auto& r = x_.request();
        http::asked_range asked;
        // RFC 9110, section 14.2: Range is defined for GET alone.
        if (has_body(x_) && r.has(http_field::range) && range_is_of_this(r, found_.now)) {
            asked = http::parse_range(r.field(http_field::range), size(), max_parts);
        }
        switch (asked.what) {
            case http::asked_range::kind::everything:
                co_await send_one(200, {.offset = 0, .length = size()});
                break;
            case http::asked_range::kind::unsatisfiable: refuse_range(); break;
            case http::asked_range::kind::parts:
                if (asked.parts.size() == 1) {
                    co_await send_one(206, asked.parts.front());
                } else {
                    co_await send_several(asked.parts);
                }
                break;
        }
    }

 private:
    [[nodiscard]] std::uint64_t size() const noexcept { return size_of(found_.now); }

    void refuse_range() {
        x_.response().reply(416).field("Content-Range",
                                       http::format_content_range({.part = {}, .total = size()}));
        x_.response().end_with("nothing of the file lies within the range that was asked for");
    }

    reply_text& begin(unsigned status) {
        auto& to = x_.response().reply(status);
        add_validators(to, found_.now);
        to.add("X-Content-Type-Options: nosniff\r\n");
        // An uploaded page must not act for this server. The PDF viewer of a browser is no page of
        // this server, and does not work in a sandbox.
        if (!is_pdf(type_)) {
            to.add("Content-Security-Policy: sandbox\r\n");
        }
        if (digest_) to.field("Repr-Digest", http::format_repr_digest(*digest_));
        if (http::query_has(x_.query(), "download")) {
            to.field("Content-Disposition", http::attachment_named(split(x_.path()).name));
        }
        return to;
    }

    coro::task<void> send_one(unsigned status, http::byte_part part) {
        auto& to = begin(status);
        to.field("Content-Type", type_);
        if (status == 206) {
            to.field("Content-Range", http::format_content_range({.part = part, .total = size()}));
        }
        x_.response().end_head(part.length);
        if (!has_body(x_)) co_return;
        x_.service().counting().fetched.fetch_add(1, relaxed);
        co_await send(part);
    }

    coro::task<void> send_several(const std::vector<http::byte_part>& parts) {
        // A boundary that no file holds by chance.
        const std::string boundary = "sluice-" + std::to_string(x_.engine().random());
        std::vector<std::string> heads;
        std::uint64_t length = 0;
        for (const auto& part : parts) {
            std::string head = heads.empty() ? "--" : "\r\n--";
            head += boundary;
            head += "\r\nContent-Type: ";
            head += type_;
            head += "\r\nContent-Range: ";
            head += http::format_content_range({.part = part, .total = size()});
            head += "\r\n\r\n";
            length += head.size() + part.length;
            heads.push_back(std::move(head));
        }
        const std::string end = "\r\n--" + boundary + "--\r\n";
        begin(206).field("Content-Type", "multipart/byteranges; boundary=" + boundary);
        x_.response().end_head(length + end.size());
        x_.service().counting().fetched.fetch_add(1, relaxed);
        for (std::size_t i = 0; i < parts.size() && !x_.lost(); ++i) {
            // Flush before the next head outgrows the buffer.
            if (x_.out().left() < heads[i].size() + end.size()) {
                if (const bool sent = co_await x_.flush(true); !sent) co_return;
            }
            x_.out().add(heads[i]);
            x_.told().sent += heads[i].size();
            co_await send(parts[i]);
        }
        if (x_.lost()) co_return;
        if (x_.out().left() < end.size()) {
            if (const bool sent = co_await x_.flush(true); !sent) co_return;
        }
        x_.out().add(end);
        x_.told().sent += end.size();
    }

    /// Sends bytes of the file after the buffered output.
    coro::task<void> send(http::byte_part part) {
        if (part.length <= copied_file_size && part.length <= x_.out().left() / 2) {
            copy(part);
            co_return;
        }
        auto flushed = co_await x_.flush(true);
        if (!flushed) co_return;
        auto& peer = x_.client().peer();
        transfer::byte_counter counter;
        const lasting_transfer going{x_.service().counting().transfers, nullptr};
        const auto& options = x_.service().options();
        auto sent =
            co_await at_pace<void>(x_.engine(), {.window = options.body_time}, counter, [&] {
                return transfer::send_file(
                    options.send, peer,
                    {.file = found_.file.get(), .offset = part.offset, .length = part.length},
                    counter);
            });
        auto& counters = x_.service().counting();
        counters.bytes_fetched.fetch_add(counter.bytes(), relaxed);
        x_.told().sent += counter.bytes();
        if (sent) co_return;
        // A client detects a short body by the end of the connection, and still receives earlier
        // responses. Only a client that reads nothing would not notice a mere end: it gets a reset.
        if (sent.error() == fault::ended) {
            counters.cut_files.fetch_add(1, relaxed);
            x_.hang_up();
        } else if (sent.error().is(EIO)) {
            report_read_error(counter.bytes(), sent.error());
            x_.hang_up();
        } else {
            auto& kind = sent.error() == fault::timed_out ? counters.slow_bodies : counters.lost;
            kind.fetch_add(1, relaxed);
            peer.set_linger_reset();
            x_.give_up();
        }
    }

    /// Counts and logs a read error, after so many bytes of a part.
    void report_read_error(std::uint64_t bytes, error why) {
        x_.service().counting().failed.fetch_add(1, relaxed);
        x_.service().report(fmt::format("Broke off [Client {}] after {} bytes of {}: {}",
                                        x_.number(), bytes, x_.path(), why.message()));
    }

    void copy(http::byte_part part) {
        while (part.length > 0) {
            const auto memory = std::as_writable_bytes(x_.out().space()).first(part.length);
            const auto n = os::sys().pread(found_.file.get(), memory, part.offset);
            if (n == -EINTR) continue;
            if (n <= 0) {
                if (n < 0) {
                    report_read_error(0, error::system(static_cast<int>(-n)));
                } else {
                    x_.service().counting().cut_files.fetch_add(1, relaxed);
                }
                x_.hang_up();
                return;
            }
            const auto count = static_cast<std::size_t>(n);
            x_.out().advance(count);
            part.offset += count;
            part.length -= count;
            x_.service().counting().bytes_fetched.fetch_add(count, relaxed);
            x_.told().sent += count;
        }
    }

    http_exchange& x_;
    found_file found_;
    std::optional<http::sha256_value> digest_;
    std::string kept_type_;
    std::string_view type_;  // views kept_type_ or static text
};

void redirect_to_folder(http_exchange& x) {
    std::string location = "/" + http::percent_encode_path(x.path()) + "/";
    if (!x.query().empty()) location.append("?").append(x.query());
    // A file may have the name later.
    x.response().reply(301).field("Location", location).field("Cache-Control", "no-cache");
    x.response().end_with("this is a directory: its path ends in a slash");
}

/// The form of a listing: `?format=` decides, else the Accept field.
bool wants_json(const http_exchange& x) {
    if (http::query_has(x.query(), "format", "json")) return true;
    if (http::query_has(x.query(), "format", "html")) return false;
    std::string accepted;
    for (const auto& [name, value] : x.request().fields) {
        if (name == http_field::accept) accepted.append(value).append(",");
    }
    static constexpr std::array<std::string_view, 2> forms{"text/html", "application/json"};
    return http::best_of(accepted, forms) == 1;
}

}  // namespace

coro::task<void> answer_get(http_exchange& x) {
    if (x.names_folder()) {
        if (x.path().empty() && http::query_has(x.query(), "parts")) {
            co_await answer_parts(x);
        } else {
            co_await answer_folder(x, wants_json(x));
        }
        co_return;
    }
    auto found = x.files().read(x.path());
    if (!found) {
        if (found.error().is(EISDIR)) {
            redirect_to_folder(x);
        } else {
            x.response().refuse_for(found.error());
        }
        co_return;
    }
    file_answer answer{x, std::move(*found)};
    co_await answer.run();
}

}  // namespace sluice::files
