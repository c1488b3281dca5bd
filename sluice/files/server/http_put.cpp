// Implements PUT: receives a file or a part of one, verifies its digest, commits it.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <expected>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/files/digest_pool.hpp"
#include "sluice/files/server/beneath.hpp"
#include "sluice/files/server/digest_queue.hpp"
#include "sluice/files/server/http_conditions.hpp"
#include "sluice/files/server/http_digest.hpp"
#include "sluice/files/server/http_exchange.hpp"
#include "sluice/files/server/lasting_transfer.hpp"
#include "sluice/files/server/media_type.hpp"
#include "sluice/files/server/pace.hpp"
#include "sluice/http/chunked.hpp"
#include "sluice/http/content_type.hpp"
#include "sluice/http/percent.hpp"
#include "sluice/http/range.hpp"
#include "sluice/http/text.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/file.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/os/thread.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::files {
namespace {

using namespace std::chrono_literals;
using http::http_field;

// Bytes. A rest up to here is copied through a buffer, for a pipe costs more than that.
constexpr std::uint64_t copied_body = std::uint64_t{256} * 1024;
// Bytes. Up to here the digest is computed at the end; above, a thread computes it meanwhile.
constexpr std::uint64_t small_digest = std::uint64_t{1} << 20;
// Bytes. Up to here a response that waits for no disk waits for a digest that was not requested.
constexpr std::uint64_t quick_digest = std::uint64_t{64} << 20;
// How long an upload waits for another one of the same file, which is probably about to end.
constexpr auto lock_time = 5s;
constexpr auto lock_pause = 20ms;

using digest_field = std::expected<std::optional<http::sha256_value>, std::string_view>;

/// The SHA-256 in the fields of one name, the last one if there are several.
digest_field digest_from(const http::http_request& r, http_field which) {
    std::optional<http::sha256_value> found;
    for (const auto& [name, value] : r.fields) {
        if (name != which) continue;
        const auto digest = http::parse_repr_digest(value);
        if (!digest) return std::unexpected{digest.error()};
        if (*digest) found = *digest;
    }
    return found;
}

/// One upload, from its head to its response.
class upload {
 public:
    // One coroutine, whose frame is held during the wait for the body.
    static coro::task<void> run(http_exchange& x) {
        upload put{x};
        if (!put.check_head() || !put.check_target()) co_return;
        if (put.range() && !put.range()->part) {
            co_await put.answer_progress();
            co_return;
        }
        if (!x.body().is_here()) {
            if (const bool may_come = co_await put.can_receive(); !may_come) co_return;
            if (auto came = co_await x.body().wait(); !came) {
                put.refuse_missing_body(came.error());
                co_return;
            }
        }
        co_await put.receive();
    }

 private:
    /// Fields that few heads have, and the state that follows from them.
    struct head_fields {
        std::optional<http::sha256_value> promised;  // of the whole file (Repr-Digest)
        std::optional<http::sha256_value> content;   // of this body (Content-Digest)
        std::optional<http::content_range> range;
        commit_rule rule;
        std::string_view mistake;
    };
    /// Digest and writeback during the upload, for one that is not small.
    struct background_work {
        background_work(upload& of, int file, const transfer::moved& counter,
                        io::offload_pool* writers) noexcept
            : digest{of.x_.service().crew(), file, of.base_, counter},
              behind{file, of.base_, of.writes_behind(), writers} {}

        digest_follower digest;
        transfer::write_behind behind;
    };
    /// A body that is being received into a file.
    struct body_transfer {
        body_transfer(upload& of, pending_file&& into)
            : file{std::move(into)},
              reserved{file.room_from(of.base_, of.total())},
              going{of.counting().transfers,
                    [&of, this] {
                        of.x_.service().remark(
                            fmt::format("[Client {}] goes on sending {}: {} so far", of.x_.number(),
                                        of.path(), wire::format_size(counter.bytes())));
                    }},
              clock{going, of.engine()} {
            if (of.request().chunked) chunks = std::make_unique<http::chunk_decoder>();
        }

        pending_file file;
        transfer::moved counter;
        transfer::reservation reserved;
        lasting_transfer going;
        lasting_transfer::watch clock;
        std::unique_ptr<background_work> background;
        std::unique_ptr<http::chunk_decoder> chunks;
        [[no_unique_address]] transfer::shared_pipes pipes;
        bool streams = false;  // transfer::receive_file() receives the rest
    };

    explicit upload(http_exchange& x) : x_{x} {}

    [[nodiscard]] const head_fields& fields() const noexcept {
        static const head_fields none;
        return fields_ ? *fields_ : none;
    }
    [[nodiscard]] head_fields& mutable_fields() {
        if (!fields_) fields_ = std::make_unique<head_fields>();
        return *fields_;
    }
    [[nodiscard]] const std::optional<http::sha256_value>& promised() const noexcept {
        return fields().promised;
    }
    [[nodiscard]] const std::optional<http::sha256_value>& content() const noexcept {
        return fields().content;
    }
    [[nodiscard]] const std::optional<http::content_range>& range() const noexcept {
        return fields().range;
    }
    [[nodiscard]] std::string_view path() const noexcept { return x_.path(); }

    [[nodiscard]] const http::http_request& request() const noexcept { return x_.request(); }
    [[nodiscard]] const http_options& options() const noexcept { return x_.service().options(); }
    [[nodiscard]] http_counters& counting() noexcept { return x_.service().counting(); }
    [[nodiscard]] io::engine& engine() noexcept { return x_.engine(); }

    /// Checks the fields of the head; false if it was refused.
    bool check_head() {
        const auto& r = request();
        if (x_.names_folder()) return refuse(409, "a file's path does not end in a slash");
        if (!check_type()) return false;
        const auto whole = digest_from(r, http_field::repr_digest);
        if (!whole) return refuse(400, fmt::format("Repr-Digest: {}", whole.error()));
        const auto content = digest_from(r, http_field::content_digest);
        if (!content) return refuse(400, fmt::format("Content-Digest: {}", content.error()));
        if (*whole) mutable_fields().promised = *whole;
        if (*content) mutable_fields().content = *content;
        if (r.has(http_field::content_range)) {
            mutable_fields().range = http::parse_content_range(r.field(http_field::content_range));
            if (!range() || !range()->total) {
                return refuse(400, "Content-Range says bytes FIRST-LAST/TOTAL, or bytes */TOTAL");
            }
            if (!range()->part) return true;
            if (!r.length) return refuse(411, "a part of an upload has a Content-Length");
            if (*r.length != range()->part->length) {
                return refuse(400, "Content-Length and Content-Range tell different lengths");
            }
        } else if (!r.length && !r.chunked) {
            return refuse(411, "an upload has a Content-Length, or comes in chunks");
        }
        constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
        if (total().value_or(0) > std::min(options().max_size, largest)) return too_large();
        return true;
    }

    /// Refuses an encoding or a type that could not be kept: a later GET would report it wrongly.
    bool check_type() {
        const auto& r = request();
        for (const auto& [name, value] : r.fields) {
            if (name != http_field::content_encoding || value.empty()) continue;
            if (http::same_word(value, "identity")) continue;
            x_.response().reply(415).field("Accept-Encoding", "identity");
            x_.response().end_with(
                "files are kept as they are: send it without a Content-Encoding");
            return false;
        }
        const auto type = r.field(http_field::content_type);
        if (!type.empty() && !http::is_media_type(type)) {
            return refuse(400,
                          "Content-Type is TYPE/SUBTYPE and its parameters, 255 bytes at most");
        }
        return true;
    }

    /// Checks the file of this name and the conditions; false if they were refused.
    bool check_target() {
        const auto there = x_.files().look(path());
        if (!there) {
            const error why = there.error();
            if (why.is(ENOTDIR)) return refuse(409, "a file is in the way of a directory");
            if (!why.is(ENOENT)) {
                x_.response().refuse_for(why);
                return false;
            }
        } else if (S_ISDIR(there->st_mode)) {
            return refuse(409, "a directory has this name");
        } else if (!S_ISREG(there->st_mode)) {
            return refuse(409, "something that is no file has this name");
        }
        const struct stat* found = there ? &*there : nullptr;
        if (judge_conditions(request(), found, false) != condition::holds) {
            return refuse(412, "the file is not in the state that was asked for");
        }
        if (request().has(http_field::if_match) || request().has(http_field::if_unmodified_since) ||
            request().has(http_field::if_none_match)) {
            recheck_on_commit(found);
        }
        return true;
    }

    /// Evaluates the conditions again when the file gets its name.
    void recheck_on_commit(const struct stat* found) {
        // A date does not distinguish two states within its second.
        std::optional<file_state> known;
        if (found != nullptr && request().has(http_field::if_unmodified_since)) {
            known = file_state::of(*found);
        }
        mutable_fields().rule.holds = [this, known](const struct stat* there) {
            if (known && (there == nullptr || file_state::of(*there) != *known)) return false;
            return judge_conditions(request(), there, false) == condition::holds;
        };
    }

    bool refuse(unsigned status, std::string_view why) {
        x_.response().refuse(status, why);
        return false;
    }
    bool too_large() {
        counting().too_large.fetch_add(1, relaxed);
        x_.response().refuse(
            413, fmt::format("a file has at most {} here", wire::format_size(options().max_size)));
        return false;
    }

    /// Size of the whole file, if known.
    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept {
        return range() ? range()->total : request().length;
    }
    /// Id of the upload: the same for the same bytes, sent again to the same path.
    [[nodiscard]] std::string key() const {
        return short_hash_of(fmt::format("{}\n{}\n{}", path(), *range()->total,
                                         promised() ? http::to_hex(*promised()) : "-"));
    }

    static void add_arrived(reply_text& to, std::uint64_t bytes) {
        if (bytes > 0) to.field("Range", http::format_arrived(bytes));
    }

    coro::task<void> answer_progress() {
        // Refused, for the body would stand between this request and the next.
        if (request().chunked || request().length.value_or(0) > 0) {
            refuse(400, "who asks how far an upload is sends nothing with it");
            co_return;
        }
        const auto arrived = x_.files().arrived(path(), key());
        if (promised()) {
            auto found = x_.files().read(path());
            if (found && size_of(found->now) == *range()->total) {
                auto digest = kept_digest(found->file.get(), found->now);
                if (!digest) {
                    digest = co_await make_digest_for(x_, found->file.get(), found->now);
                    if (x_.lost()) co_return;
                }
                if (digest == promised()) {
                    add_entity_tag(x_.response().reply(204).add("ETag: "), found->now);
                    x_.out().add("\r\n").field("Repr-Digest", http::format_repr_digest(*digest));
                    x_.response().end_head();
                    co_return;
                }
            }
        }
        // Of a complete part, the client sends the last byte again: that ends the upload.
        add_arrived(x_.response().reply(308), std::min(arrived, *range()->total - 1));
        x_.response().end_head(0);
    }

    /// Whether the server would take the body now, tested before the client sends it. The file is
    /// not held during the wait.
    coro::task<bool> can_receive() {
        auto file = co_await open_file();
        co_return file&& can_hold(*file);
    }

    void refuse_missing_body(error why) {
        if (why == fault::timed_out) {
            counting().slow_bodies.fetch_add(1, relaxed);
            refuse(408, "the body of the request did not come in time");
        } else {
            counting().lost.fetch_add(1, relaxed);
            x_.hang_up();
        }
    }

    /// Opens the file that takes the bytes; none if that was refused.
    coro::task<std::optional<pending_file>> open_file() {
        resumable_ = range().has_value();
        if (resumable_ && x_.files().partials().is_full()) {
            static_cast<void>(co_await on_disk(x_.service(), engine(), [this] {
                return x_.files().make_room_for_part(path(), key());
            }));
        }
        std::optional<result<pending_file>> tried;
        const auto open = [&] {
            tried.emplace(resumable_ ? x_.files().resume(path(), key(), *range()->total)
                                     : x_.files().receive(path()));
        };
        open();
        const auto until = io::after(io::clock::now(), lock_time);
        while (!*tried && tried->error().is(EBUSY) && io::clock::now() < until) {
            auto slept = co_await io::sleep_for(engine(), lock_pause);
            if (!slept) break;
            open();
        }
        // Where no part can be kept, a file in one piece can still be received.
        if (resumable_ && !*tried && tried->error().is(EACCES)) {
            if (range()->part->length != *range()->total) {
                refuse(403,
                       "the server may not keep parts of files here: send the file in one piece");
                co_return std::nullopt;
            }
            resumable_ = false;
            open();
        }
        auto& opened = *tried;
        if (!opened && opened.error().is(EBUSY)) {
            x_.response().reply(503).field("Retry-After", 1);
            x_.response().end_with("somebody else sends this file at the moment; try again");
            co_return std::nullopt;
        }
        if (!opened) {
            x_.response().refuse_for(opened.error());
            co_return std::nullopt;
        }
        if (range()) {
            struct stat now {};
            const auto there = ::fstat(opened->fd(), &now) == 0 ? size_of(now) : 0;
            if (range()->part->offset > there) {
                add_arrived(x_.response().reply(409), there);
                x_.response().end_with("what lies before this part has not arrived");
                co_return std::nullopt;
            }
            base_ = range()->part->offset;
        }
        co_return std::move(*opened);
    }

    /// Whether the whole file can fit; space is claimed as the body arrives.
    bool can_hold(pending_file& file) {
        if (!total()) return true;
        const auto fits = file.can_hold(*total());
        if (fits) return true;
        // The bytes that have arrived would only take space from other uploads.
        file.forget();
        x_.response().refuse_for(fits.error());
        return false;
    }

    /// Whether the response waits for the digest, which is computed while the disk writes.
    [[nodiscard]] bool digest_is_wanted(std::uint64_t size) const noexcept {
        return promised() || (content() && !range()) || x_.files().syncs() ||
               options().digest_always || size <= quick_digest ||
               digest_preference().value_or(false);
    }
    [[nodiscard]] std::optional<bool> digest_preference() const noexcept {
        return http::wants_sha256(request().field(http_field::want_repr_digest));
    }

    // One coroutine for all long waits: many uploads may have only begun, and each holds the memory
    // of its frames.
    coro::task<void> receive() {
        std::optional<body_transfer> begun;
        if (const bool may_come = co_await begin(begun); !may_come) co_return;
        auto& body = *begun;
        pace_watch pace{limits(), io::clock::now()};
        result<bool> whole = co_await take(body);
        while (whole && !*whole) {
            if (const bool sent = co_await x_.flush(); !sent) {
                whole = failure(fault::cancelled);
                break;
            }
            x_.step_out();
            const auto came = co_await io::with_deadline(
                engine(), io::poll{engine(), x_.client().peer().fd(), io::interest::in},
                pace.next());
            if (!pace.holds(io::clock::now(), body.counter.bytes())) {
                whole = failure(fault::timed_out);
            } else if (!came && came.error() != fault::timed_out) {
                whole = failure(came.error());
            } else {
                whole = co_await take(body);
            }
        }
        if (!x_.step_in() && whole) whole = failure_of(ENOMEM);
        counting().bytes_stored.fetch_add(body.counter.bytes(), relaxed);
        if (!whole) {
            if (body.background) body.background->digest.stop();
            stop(body.file, body.counter, whole.error());
            co_return;
        }
        co_await end(body);
    }

    /// False if it was refused.
    coro::task<bool> begin(std::optional<body_transfer>& body) {
        auto file = co_await open_file();
        if (!file || !can_hold(*file)) co_return false;
        body.emplace(*this, std::move(*file));
        co_return true;
    }

    [[nodiscard]] pace_limits limits() const noexcept {
        return {.window = options().body_time, .bytes_a_second = options().min_rate};
    }

    /// Ends a complete body: verifies it, then commits the file or keeps the part.
    coro::task<void> end(body_transfer& body) {
        const auto length = body.counter.bytes();
        x_.end_body();
        if (range() && content()) {
            if (const bool same = co_await matches_content_digest(body.file, length); !same)
                co_return;
        }
        if (!ends_here()) {
            add_arrived(x_.response().reply(308), base_ + length);
            x_.response().end_head(0);
            co_return;
        }
        co_await finish(body.file, background_for(body).digest, base_ + length);
    }

    /// Whether the file is complete with this body.
    [[nodiscard]] bool ends_here() const noexcept {
        return !range() || range()->part->last() + 1 == *range()->total;
    }
    [[nodiscard]] bool writes_behind() const noexcept {
        return x_.files().syncs() && total().value_or(0) >= transfer::write_behind::piece;
    }
    /// Whether a thread computes the digest meanwhile, with a descriptor of its own.
    [[nodiscard]] bool follows_digest() const noexcept {
        const auto size = total().value_or(0);
        const bool worth_it = size > small_digest || request().chunked;
        return ends_here() && worth_it && digest_is_wanted(size);
    }

    background_work& background_for(body_transfer& body) {
        if (body.background) return *body.background;
        auto* const writers =
            writes_behind() && !engine().works_in_place() ? &x_.service().writers() : nullptr;
        body.background =
            std::make_unique<background_work>(*this, body.file.fd(), body.counter, writers);
        return *body.background;
    }
    /// Does nothing until enough bytes have arrived to be worth it.
    void start_background(body_transfer& body) {
        if (body.background || body.counter.bytes() < small_digest) return;
        if (follows_digest()) background_for(body).digest.start();
        if (writes_behind()) background_for(body);
    }

    /// Whether a part matches its Content-Digest (RFC 9530, section 2). Otherwise the file is
    /// truncated to where the part began.
    coro::task<bool> matches_content_digest(pending_file& file, std::uint64_t length) {
        const int fd = file.fd();
        const auto end = base_ + length;
        auto made = co_await x_.service().upload_digests().run(
            engine(), [this, fd, end]() -> result<http::sha256_value> {
                running_digest part{base_};
                if (auto read = part.go_to(fd, end); !read) return failure(read.error());
                return part.finish();
            });
        if (!made) {
            x_.response().refuse_for(made.error());
            co_return false;
        }
        if (*made == *content()) co_return true;
        counting().wrong_digests.fetch_add(1, relaxed);
        if (::ftruncate(fd, static_cast<off_t>(base_)) < 0) file.forget();
        refuse(422, "the part that arrived has another SHA-256 than Content-Digest tells");
        co_return false;
    }

    /// Takes the bytes of the body that have arrived, without waiting: whether it is complete.
    coro::task<result<bool>> take(body_transfer& body) {
        return body.chunks ? take_chunks(body) : take_bytes(body);
    }

    /// Bytes that are not consumed yet, or are received now; empty where none have arrived.
    result<std::string_view> read_piece() noexcept {
        if (!x_.buffered().empty()) return x_.buffered();
        if (!x_.step_in()) return failure_of(ENOMEM);
        const auto got = x_.read_now();
        if (!got && got.error().is(EAGAIN)) return std::string_view{};
        if (!got) return failure(got.error());
        if (*got == 0) return failure(fault::ended);
        return x_.buffered();
    }

    /// Takes a body of the length that the head announced.
    coro::task<result<bool>> take_bytes(body_transfer& body) {
        const std::uint64_t length = *request().length;
        while (body.counter.bytes() < length) {
            const auto done = body.counter.bytes();
            if (body.streams || (x_.buffered().empty() && length - done > copied_body)) {
                auto more = co_await stream(body, length);
                if (!more) co_return failure(more.error());
                if (!*more) co_return false;
                continue;
            }
            const auto read = read_piece();
            if (!read) co_return failure(read.error());
            if (read->empty()) co_return false;
            const auto piece = read->substr(
                0, static_cast<std::size_t>(std::min<std::uint64_t>(length - done, read->size())));
            if (auto made = body.reserved.cover(base_ + done + piece.size(), true); !made) {
                co_return failure(made.error());
            }
            auto written =
                co_await io::write_all_at{engine(), body.file.fd(), as_bytes(piece), base_ + done};
            if (!written) co_return failure(written.error());
            x_.take(piece.size());
            body.counter.add(piece.size());
        }
        co_return true;
    }

    /// Receives a part of the rest by transfer::receive_file(): false where no more has arrived.
    /// Sends the buffered output first, and holds no buffers meanwhile.
    coro::task<result<bool>> stream(body_transfer& body, std::uint64_t length) {
        body.streams = true;
        if (const bool sent = co_await x_.flush(); !sent) co_return failure(fault::cancelled);
        x_.step_out();
        start_background(body);
        const auto done = body.counter.bytes();
        const bool in_background = follows_digest() || writes_behind();
        const auto end =
            in_background && !body.background ? std::min(length, done + small_digest) : length;
        bool dried = false;
        auto got = co_await at_pace<std::uint64_t>(engine(), limits(), body.counter, [&] {
            return transfer::receive_file(
                options().receive, x_.client().peer(),
                {.file = body.file.fd(),
                 .offset = base_ + done,
                 .most = end - done,
                 .room = &body.reserved,
                 .behind = body.background ? &body.background->behind : nullptr,
                 .dried = &dried},
                body.counter);
        });
        if (!got) co_return failure(got.error());
        if (*got < end - done && !dried) co_return failure(fault::ended);
        co_return !dried;
    }

    coro::task<result<bool>> take_chunks(body_transfer& body) {
        for (;;) {
            const auto read = read_piece();
            if (!read) co_return failure(read.error());
            if (read->empty()) co_return false;
            const auto step = body.chunks->next(*read);
            const auto given = body.chunks->given();
            if (step.what == http::chunk_decoder::found::mistake) {
                mutable_fields().mistake =
                    "the body is not in chunks, or what frames them is too long";
                co_return failure_of(EBADMSG);
            }
            if (given > options().max_size) co_return failure_of(EMSGSIZE);
            if (auto made = body.reserved.cover(given, true); !made)
                co_return failure(made.error());
            auto written = co_await io::write_all_at{engine(), body.file.fd(), as_bytes(step.data),
                                                     given - step.data.size()};
            if (!written) co_return failure(written.error());
            body.counter.add(step.data.size());
            start_background(body);
            x_.take(step.taken);
            if (step.what == http::chunk_decoder::found::end) break;
        }
        if (auto ended = end_chunks(body.file, *body.chunks); !ended) {
            co_return failure(ended.error());
        }
        co_return true;
    }

    result<void> end_chunks(pending_file& file, const http::chunk_decoder& body) {
        // Gives back the space that was reserved beyond the end.
        if (::ftruncate(file.fd(), static_cast<off_t>(body.given())) < 0) return failure_of(errno);
        for (const auto& [value, into] :
             {std::pair{&body.repr_digest(), &mutable_fields().promised},
              std::pair{&body.content_digest(), &mutable_fields().content}}) {
            const auto digest = http::parse_repr_digest(*value);
            if (!digest) {
                mutable_fields().mistake = digest.error();
                return failure_of(EBADMSG);
            }
            if (*digest) *into = *digest;
        }
        return {};
    }

    /// The body did not arrive completely, or could not be written.
    void stop(pending_file& file, const transfer::moved& counter, error why) {
        const auto stop_and_report = [&](std::string_view what) {
            file.stop();
            x_.service().report(
                fmt::format("{} [Client {}] after {} bytes of {}: {}; {}", what, x_.number(),
                            counter.bytes(), path(), why.message(),
                            resumable_ ? "what came waits to be resumed" : "nothing was kept"));
        };
        if (why.is(EBADMSG)) {
            counting().bad_requests.fetch_add(1, relaxed);
            refuse(400, fields().mistake);
        } else if (why.is(EMSGSIZE)) {
            too_large();
        } else if (why == fault::timed_out) {
            counting().slow_bodies.fetch_add(1, relaxed);
            stop_and_report("Left");
            refuse(408, "the body of the request did not come in time");
        } else if (why == fault::ended || why == fault::cancelled || why.is(ECONNRESET) ||
                   why.is(EPIPE) || why.is(ETIMEDOUT)) {
            counting().lost.fetch_add(1, relaxed);
            stop_and_report("Lost");
            // The client may have ended only its side, and wait for earlier responses.
            x_.hang_up();
        } else {
            file.forget();
            stop_and_report("Refused");
            x_.response().refuse_for(why);
        }
    }

    /// Finishes the digest while the disk writes: the caller waits for the longer of the two.
    static result<http::sha256_value> finish_digest(pending_file& file, digest_follower& digest,
                                                    std::uint64_t size) {
        os::background_job disk;
        if (digest.left(size) > small_digest) disk.start([&file] { return file.write_out(); });
        auto value = digest.finish(size);
        // The kernel reports a write error only once (fsync(2)).
        if (auto written = disk.wait(); !written) return failure(written.error());
        return value;
    }

    /// Gives up the digest on cancellation, for a client that did not ask for it.
    struct cancel_watch : coro::cancel_hook {
        cancel_watch(digest_follower& d, coro::context& within) noexcept
            : cancel_hook{[](cancel_hook& h) noexcept {
                  static_cast<cancel_watch&>(h).digest.give_up();
              }},
              digest{d} {
            if (!within.cancelled()) within.watch(*this);
        }
        cancel_watch(const cancel_watch&) = delete;
        cancel_watch& operator=(const cancel_watch&) = delete;
        ~cancel_watch() { unlink(); }

        digest_follower& digest;
    };

    struct commit_result {
        bool replaced = false;
        struct stat now {};
        std::optional<http::sha256_value> digest;
    };

    /// Commits the file, if its digest is that of the request, and computes it where `wanted`.
    /// Blocks, perhaps for long; any thread. EBADMSG for another digest.
    [[nodiscard]] result<commit_result> commit(pending_file& file, digest_follower& digest,
                                               std::uint64_t size, bool wanted) {
        commit_result k;
        if (wanted && !mutable_fields().rule.digest) {
            const auto value = finish_digest(file, digest, size);
            if (value) {
                if (promised() && *promised() != *value) return failure_of(EBADMSG);
                if (content() && !range() && *content() != *value) return failure_of(EBADMSG);
                mutable_fields().rule.digest = *value;
            } else if (value.error() != fault::cancelled) {
                return failure(value.error());
            }
        }
        k.digest = mutable_fields().rule.digest;
        if (auto typed = keep_content_type(file); !typed) return failure(typed.error());
        const auto replaced = file.keep(path(), mutable_fields().rule);
        if (!replaced) return failure(replaced.error());
        k.replaced = *replaced;
        if (::fstat(file.fd(), &k.now) < 0) return failure_of(errno);
        return k;
    }

    coro::task<void> finish(pending_file& file, digest_follower& digest, std::uint64_t size) {
        const bool wanted = digest_is_wanted(size);
        const auto work = [&] { return commit(file, digest, size, wanted); };
        auto& within = co_await coro::this_context();
        std::optional<cancel_watch> end;
        if (!promised() && !content()) end.emplace(digest, within);
        // A long digest does not delay uploads that wait for the disk alone.
        const bool is_long = wanted && digest.left(size) > small_digest;
        auto& service = x_.service();
        io::offload_pool& workers = is_long ? service.upload_digests() : service.disk();
        const bool quick = !x_.files().syncs() && size <= small_digest;
        result<commit_result> done = failure(fault::cancelled);
        if (quick) {
            mutable_fields().rule.may_wait = false;
            done = work();
            mutable_fields().rule.may_wait = true;
        }
        if (!quick || (!done && done.error().is(EAGAIN))) {
            done = co_await workers.run(engine(), work);
        }
        if (!done) {
            refuse_commit(file, done.error());
            co_return;
        }
        answer(*done, size);
        if (!done->digest) x_.service().later().add(file.fd());
    }

    /// Stores the Content-Type of the request, unless the name implies it.
    [[nodiscard]] result<void> keep_content_type(pending_file& file) const {
        const auto type = request().field(http_field::content_type);
        if (type.empty() || type == http::content_type_of(path())) return {};
        return keep_media_type(file.fd(), type);
    }

    void refuse_commit(pending_file& file, error why) {
        // After EBUSY, a retry need not send the bytes of a part again.
        if (!why.is(EBUSY)) file.forget();
        if (why.is(EBADMSG)) {
            counting().wrong_digests.fetch_add(1, relaxed);
            x_.service().report(
                fmt::format("Refused [Client {}] as {}: its digest is not the one that "
                            "was told; nothing was kept",
                            x_.number(), path()));
            refuse(422, "what arrived has another SHA-256 than was told with it; nothing was kept");
        } else if (why.is(ENOTSUP)) {
            refuse(415, "this directory's file system cannot keep a Content-Type: send none");
        } else if (why.is(EEXIST)) {
            refuse(412, "the file has changed meanwhile; nothing was kept");
        } else if (why.is(EISDIR) || why.is(ENOTDIR) || why.is(EINVAL)) {
            refuse(409, "something that is no file has this name");
        } else if (why.is(EXDEV)) {
            refuse(409, "another file system was mounted here meanwhile; send the file again");
        } else {
            x_.service().report(fmt::format("Refused [Client {}] as {}: {}; nothing was kept",
                                            x_.number(), path(), why.message()));
            x_.response().refuse_for(why);
        }
    }

    void answer(const commit_result& k, std::uint64_t size) {
        counting().stored.fetch_add(1, relaxed);
        if (base_ > 0) counting().resumed.fetch_add(1, relaxed);
        auto& to = x_.response().reply(k.replaced ? 204 : 201);
        to.add("Location: /").add(http::percent_encode_path(path())).add("\r\nETag: ");
        add_entity_tag(to, k.now);
        to.add("\r\n");
        std::string digest;
        if (k.digest) {
            if (digest_preference().value_or(true))
                to.field("Repr-Digest", http::format_repr_digest(*k.digest));
            digest = fmt::format(" (sha256 {})", http::to_hex(*k.digest));
        }
        if (k.replaced) {
            x_.response().end_head();
        } else {
            x_.response().end_head(0);
        }
        x_.service().report(fmt::format("Received {} bytes from [Client {}] as {}{}", size,
                                        x_.number(), path(), digest));
    }

    http_exchange& x_;
    std::unique_ptr<head_fields> fields_;
    std::uint64_t base_ = 0;  // offset of the body in the file
    bool resumable_ = false;  // the bytes stay if the rest does not arrive
};

}  // namespace

coro::task<void> answer_put(http_exchange& x) {
    return upload::run(x);
}

}  // namespace sluice::files
