// GET and HEAD: a file, parts of it, or what a directory holds.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/service/files/digest.hpp"
#include "sluice/service/files/http_exchange.hpp"
#include "sluice/service/files/listing.hpp"
#include "sluice/service/files/listing_page.hpp"
#include "sluice/service/files/pace.hpp"
#include "sluice/transfer/to_socket.hpp"
#include "sluice/wire/content_disposition.hpp"
#include "sluice/wire/content_type.hpp"
#include "sluice/wire/entity_tag.hpp"
#include "sluice/wire/http_date.hpp"
#include "sluice/wire/http_range.hpp"
#include "sluice/wire/http_text.hpp"
#include "sluice/wire/percent.hpp"

namespace sluice::service::files {
namespace {

using wire::http_field;

constexpr auto relaxed = std::memory_order_relaxed;
// A file up to this size is copied behind its head, and both leave in one call; a larger one is
// sent by the kernel.
constexpr std::uint64_t small_file = std::uint64_t{32} * 1024;
// In one answer; who asks for more gets everything.
constexpr std::size_t most_parts = 64;

std::uint64_t size_of(const struct stat& file) noexcept {
    return static_cast<std::uint64_t>(file.st_size);
}

std::chrono::sys_seconds time_of(const struct stat& file) noexcept {
    return std::chrono::sys_seconds{std::chrono::seconds{file.st_mtim.tv_sec}};
}

bool has_body(const http_exchange& x) noexcept {
    return x.request().method == wire::http_method::get;
}

/// Whether the part that is asked for is one of the file as the client knows it (RFC 9110, section
/// 13.1.5).
bool range_is_of_this(const wire::http_request& r, const struct stat& file) {
    if (!r.has(http_field::if_range)) return true;
    const auto known = r.field(http_field::if_range);
    if (wire::is_entity_tag(known)) return known == entity_tag_of(file);
    // A date tells one state from another only where nothing changed within its second.
    const auto date = wire::parse_http_date(known);
    return date && *date == time_of(file) &&
           std::chrono::system_clock::now() - time_of(file) > std::chrono::seconds{2};
}

/// The fields that say which file it is, in which state.
void add_validators(reply_text& to, const struct stat& file) {
    to.field("Last-Modified", remembered_date(time_of(file)));
    add_entity_tag(to.add("ETag: "), file);
    to.add("\r\nAccept-Ranges: bytes\r\n");
}

/// One answer with a file, from what was asked to its last byte.
class file_answer {
 public:
    file_answer(http_exchange& x, found_file found) : x_{x}, found_{std::move(found)} {}

    coro::task<void> run() {
        const auto& r = x_.request();
        switch (judge_conditions(r, &found_.now, true)) {
            case condition::failed:
                x_.refuse(412, "the file is not in the state that was asked for");
                co_return;
            case condition::not_modified:
                add_validators(x_.reply(304), found_.now);
                x_.end_head();
                co_return;
            case condition::holds: break;
        }
        digest_ = remembered_digest(found_.file.get(), found_.now);
        if (!digest_ && wire::wants_sha256(r.field(http_field::want_repr_digest))) {
            co_await make_digest();
        }
        wire::asked_range asked;
        // RFC 9110, section 14.2: defined for GET alone.
        if (has_body(x_) && r.has(http_field::range) && range_is_of_this(r, found_.now)) {
            asked = wire::parse_range(r.field(http_field::range), size(), most_parts);
        }
        switch (asked.what) {
            case wire::asked_range::kind::everything:
                co_await send_one(200, {.offset = 0, .length = size()});
                break;
            case wire::asked_range::kind::unsatisfiable: refuse_range(); break;
            case wire::asked_range::kind::parts:
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

    coro::task<void> make_digest() {
        const int file = found_.file.get();
        auto made =
            co_await on_disk(x_.door(), x_.client().home(),
                             [file]() -> result<wire::sha256_value> { return digest_of(file); });
        if (!made) co_return;
        digest_ = *made;
        keep_digest(file, found_.now, *made);
    }

    void refuse_range() {
        x_.reply(416).field("Content-Range",
                            wire::format_content_range({.part = {}, .total = size()}));
        x_.end_with("nothing of the file lies within the range that was asked for");
    }

    reply_text& begin(unsigned status) {
        auto& to = x_.reply(status);
        add_validators(to, found_.now);
        to.add("X-Content-Type-Options: nosniff\r\n");
        // Whoever uploaded a page is not to speak for this server. What shows a PDF in a browser is
        // no page of this server's, and does not work in a sandbox.
        if (wire::content_type_of(x_.path()) != "application/pdf") {
            to.add("Content-Security-Policy: sandbox\r\n");
        }
        if (digest_) to.field("Repr-Digest", wire::format_repr_digest(*digest_));
        if (wire::query_has(x_.query(), "download")) {
            to.field("Content-Disposition", wire::attachment_named(split(x_.path()).name));
        }
        return to;
    }

    coro::task<void> send_one(unsigned status, wire::byte_part part) {
        auto& to = begin(status);
        to.field("Content-Type", wire::content_type_of(x_.path()));
        if (status == 206) {
            to.field("Content-Range", wire::format_content_range({.part = part, .total = size()}));
        }
        x_.end_head(part.length);
        if (!has_body(x_)) co_return;
        x_.door().counting().fetched.fetch_add(1, relaxed);
        co_await send(part);
    }

    coro::task<void> send_several(const std::vector<wire::byte_part>& parts) {
        // What no file holds by chance: it parts them.
        const std::string boundary = "sluice-" + std::to_string(x_.client().home().random());
        std::vector<std::string> heads;
        std::uint64_t length = 0;
        for (const auto& part : parts) {
            std::string head = heads.empty() ? "--" : "\r\n--";
            head += boundary;
            head += "\r\nContent-Type: ";
            head += wire::content_type_of(x_.path());
            head += "\r\nContent-Range: ";
            head += wire::format_content_range({.part = part, .total = size()});
            head += "\r\n\r\n";
            length += head.size() + part.length;
            heads.push_back(std::move(head));
        }
        const std::string end = "\r\n--" + boundary + "--\r\n";
        begin(206).field("Content-Type", "multipart/byteranges; boundary=" + boundary);
        x_.end_head(length + end.size());
        x_.door().counting().fetched.fetch_add(1, relaxed);
        for (std::size_t i = 0; i < parts.size() && !x_.lost(); ++i) {
            x_.out().add(heads[i]);
            co_await send(parts[i]);
        }
        if (!x_.lost()) x_.out().add(end);
    }

    /// Bytes of the file, behind what stands in the room.
    coro::task<void> send(wire::byte_part part) {
        if (part.length <= small_file && part.length <= x_.out().left() / 2) {
            copy(part);
            co_return;
        }
        auto headed = co_await x_.flush(true);
        if (!headed) co_return;
        auto& peer = x_.client().peer();
        transfer::moved told;
        const auto& options = x_.door().options();
        auto sent =
            co_await at_pace<void>(x_.client().home(), {.window = options.body_time}, told, [&] {
                return transfer::send_file(
                    options.send, peer,
                    {.file = found_.file.get(), .offset = part.offset, .length = part.length},
                    told);
            });
        auto& counters = x_.door().counting();
        counters.bytes_fetched.fetch_add(told.bytes(), relaxed);
        if (sent) co_return;
        // The client was promised more. Reset, it hears of that even if it reads nothing.
        peer.reset_on_close();
        x_.give_up();
        if (sent.error() == fault::ended) {
            counters.cut_files.fetch_add(1, relaxed);
        } else if (sent.error() == fault::timed_out) {
            counters.slow_bodies.fetch_add(1, relaxed);
        } else if (sent.error().is(EIO)) {
            tell_unreadable(told.bytes(), sent.error());
        } else {
            counters.lost.fetch_add(1, relaxed);
        }
    }

    /// The disk did not give what it has of the file, after so many bytes of a part.
    void tell_unreadable(std::uint64_t bytes, error why) {
        x_.door().counting().failed.fetch_add(1, relaxed);
        x_.door().report(fmt::format("Broke off [Client {}] after {} bytes of {}: {}", x_.number(),
                                     bytes, x_.path(), why.message()));
    }

    void copy(wire::byte_part part) {
        while (part.length > 0) {
            const auto n = ::pread(found_.file.get(), x_.out().space().data(), part.length,
                                   static_cast<off_t>(part.offset));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                if (n < 0) {
                    tell_unreadable(0, error::system(errno));
                } else {
                    x_.door().counting().cut_files.fetch_add(1, relaxed);
                }
                x_.give_up();
                return;
            }
            const auto count = static_cast<std::size_t>(n);
            x_.out().advance(count);
            part.offset += count;
            part.length -= count;
            x_.door().counting().bytes_fetched.fetch_add(count, relaxed);
        }
    }

    http_exchange& x_;
    found_file found_;
    std::optional<wire::sha256_value> digest_;
};

void redirect_to_folder(http_exchange& x) {
    std::string where = "/" + wire::percent_encode_path(x.path()) + "/";
    if (!x.query().empty()) where.append("?").append(x.query());
    x.reply(301).field("Location", where);
    x.end_with("this is a directory: its path ends in a slash");
}

bool wants_json(const http_exchange& x) noexcept {
    if (wire::query_has(x.query(), "format", "json")) return true;
    std::string_view accepted = x.request().field(http_field::accept);
    while (const auto each = wire::next_element(accepted)) {
        const auto type = wire::trim_blanks(each->substr(0, each->find(';')));
        if (wire::same_word(type, "text/html")) return false;
        if (wire::same_word(type, "application/json")) return true;
    }
    return false;
}

coro::task<void> answer_folder(http_exchange& x) {
    auto& files = x.files();
    const std::string path{x.path()};
    auto entries =
        co_await on_disk(x.door(), x.client().home(), [&files, &path] { return files.list(path); });
    if (!entries) {
        // A file has no slash at its end.
        x.refuse_for(entries.error());
        co_return;
    }
    const listing what{.path = path.empty() ? "/" : "/" + path + "/",
                       .entries = std::move(*entries),
                       .may_upload = true,
                       .may_delete = x.door().options().allow_delete};
    const bool json = wants_json(x);
    std::string body = json ? listing_json(what) : listing_page(what);
    x.reply(200)
        .field("Content-Type", json ? "application/json" : "text/html; charset=utf-8")
        .field("Cache-Control", "no-cache")
        .field("Vary", "Accept");
    x.end_head(body.size());
    if (has_body(x)) co_await x.send_body(std::move(body));
}

}  // namespace

coro::task<void> answer_get(http_exchange& x) {
    if (x.names_folder()) {
        co_await answer_folder(x);
        co_return;
    }
    auto found = x.files().read(x.path());
    if (!found) {
        if (found.error().is(EISDIR)) {
            redirect_to_folder(x);
        } else {
            x.refuse_for(found.error());
        }
        co_return;
    }
    file_answer answer{x, std::move(*found)};
    co_await answer.run();
}

}  // namespace sluice::service::files
