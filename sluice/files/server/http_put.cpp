// PUT: a file is received, checked and given its name.
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
#include "sluice/files/digest_crew.hpp"
#include "sluice/files/server/beneath.hpp"
#include "sluice/files/server/digest_later.hpp"
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
#include "sluice/os/quiet_thread.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::files {
namespace {

using namespace std::chrono_literals;
using http::http_field;

// What is copied through our memory rather than spliced, for a pipe costs more than that.
constexpr std::uint64_t copied_body = std::uint64_t{256} * 1024;
// Up to here a digest is taken when all has come; for more, a thread goes along.
constexpr std::uint64_t small_digest = std::uint64_t{1} << 20;
// Up to here the answer waits for a digest that nobody asked for, though it waits for no disk.
constexpr std::uint64_t quick_digest = std::uint64_t{64} << 20;
// How long an upload may wait for another one of the same, which is probably on its way out.
constexpr auto lock_time = 5s;
constexpr auto lock_pause = 20ms;

using told_digest = std::expected<std::optional<http::sha256_value>, std::string_view>;

/// The SHA-256 that fields of one name tell, the last of them if they tell several.
told_digest digest_told_by(const http::http_request& r, http_field which) {
    std::optional<http::sha256_value> found;
    for (const auto& [name, value] : r.fields) {
        if (name != which) continue;
        const auto digest = http::parse_repr_digest(value);
        if (!digest) return std::unexpected{digest.error()};
        if (*digest) found = *digest;
    }
    return found;
}

/// One upload, from its head to its answer.
class upload {
 public:
    // One coroutine, whose frame is held while the body is waited for.
    static coro::task<void> run(http_exchange& x) {
        upload one{x};
        if (!one.look_at_head() || !one.look_at_place()) co_return;
        if (one.range() && !one.range()->part) {
            co_await one.tell_progress();
            co_return;
        }
        if (!x.body_is_here()) {
            if (const bool may_come = co_await one.could_receive(); !may_come) co_return;
            if (auto came = co_await x.await_body(); !came) {
                one.no_body(came.error());
                co_return;
            }
        }
        co_await one.receive();
    }

 private:
    /// What few heads say, and what becomes of that.
    struct demands {
        std::optional<http::sha256_value> promised;  // of the whole file
        std::optional<http::sha256_value> content;   // of what this request carries
        std::optional<http::content_range> range;
        keep_rule rule;
        std::string_view mistake;
    };
    /// What only an upload that is not small needs.
    struct aids {
        aids(upload& of, int file, const transfer::moved& told, io::offload_pool* writers) noexcept
            : digest{of.x_.door().crew(), file, of.base_, told},
              behind{file, of.base_, of.is_written_behind(), writers} {}

        digest_follower digest;
        transfer::write_behind behind;
    };
    /// A body on its way into a file.
    struct reception {
        reception(upload& of, incoming&& into)
            : file{std::move(into)},
              room{file.room_from(of.base_, of.total())},
              going{of.counting().transfers,
                    [&of, this] {
                        of.x_.door().remark(fmt::format("[Client {}] goes on sending {}: {} so far",
                                                        of.x_.number(), of.path(),
                                                        wire::format_size(told.bytes())));
                    }},
              clock{going, of.home()} {
            if (of.request().chunked) chunks = std::make_unique<http::chunk_decoder>();
        }

        incoming file;
        transfer::moved told;
        transfer::reservation room;
        lasting_transfer going;
        lasting_transfer::watch clock;
        std::unique_ptr<aids> help;
        std::unique_ptr<http::chunk_decoder> chunks;
        [[no_unique_address]] transfer::shared_pipes pipes;
        bool streams = false;  // the rest does not go through our memory
    };

    explicit upload(http_exchange& x) : x_{x} {}

    [[nodiscard]] const demands& known() const noexcept {
        static const demands none;
        return demands_ ? *demands_ : none;
    }
    [[nodiscard]] demands& asked() {
        if (!demands_) demands_ = std::make_unique<demands>();
        return *demands_;
    }
    [[nodiscard]] const std::optional<http::sha256_value>& promised() const noexcept {
        return known().promised;
    }
    [[nodiscard]] const std::optional<http::sha256_value>& content() const noexcept {
        return known().content;
    }
    [[nodiscard]] const std::optional<http::content_range>& range() const noexcept {
        return known().range;
    }
    [[nodiscard]] std::string_view path() const noexcept { return x_.path(); }

    [[nodiscard]] const http::http_request& request() const noexcept { return x_.request(); }
    [[nodiscard]] const http_options& options() const noexcept { return x_.door().options(); }
    [[nodiscard]] http_counters& counting() noexcept { return x_.door().counting(); }
    [[nodiscard]] io::engine& home() noexcept { return x_.client().home(); }

    /// What the head says of the body; false if it was refused.
    bool look_at_head() {
        const auto& r = request();
        if (x_.names_folder()) return no(409, "a file's path does not end in a slash");
        if (!look_at_type()) return false;
        const auto whole = digest_told_by(r, http_field::repr_digest);
        if (!whole) return no(400, fmt::format("Repr-Digest: {}", whole.error()));
        const auto content = digest_told_by(r, http_field::content_digest);
        if (!content) return no(400, fmt::format("Content-Digest: {}", content.error()));
        if (*whole) asked().promised = *whole;
        if (*content) asked().content = *content;
        if (r.has(http_field::content_range)) {
            asked().range = http::parse_content_range(r.field(http_field::content_range));
            if (!range() || !range()->total) {
                return no(400, "Content-Range says bytes FIRST-LAST/TOTAL, or bytes */TOTAL");
            }
            if (!range()->part) return true;
            if (!r.length) return no(411, "a part of an upload has a Content-Length");
            if (*r.length != range()->part->length) {
                return no(400, "Content-Length and Content-Range tell different lengths");
            }
        } else if (!r.length && !r.chunked) {
            return no(411, "an upload has a Content-Length, or comes in chunks");
        }
        constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
        if (total().value_or(0) > std::min(options().max_size, largest)) return too_large();
        return true;
    }

    /// What kind of content comes: what cannot be kept is refused, for it would be told wrongly.
    bool look_at_type() {
        const auto& r = request();
        for (const auto& [name, value] : r.fields) {
            if (name != http_field::content_encoding || value.empty()) continue;
            if (http::same_word(value, "identity")) continue;
            x_.reply(415).field("Accept-Encoding", "identity");
            x_.end_with("files are kept as they are: send it without a Content-Encoding");
            return false;
        }
        const auto type = r.field(http_field::content_type);
        if (!type.empty() && !http::is_media_type(type)) {
            return no(400, "Content-Type is TYPE/SUBTYPE and its parameters, 255 bytes at most");
        }
        return true;
    }

    /// What has the name already; false if that was refused.
    bool look_at_place() {
        const auto there = x_.files().look(path());
        if (!there) {
            const error why = there.error();
            if (why.is(ENOTDIR)) return no(409, "a file is in the way of a directory");
            if (!why.is(ENOENT)) {
                x_.refuse_for(why);
                return false;
            }
        } else if (S_ISDIR(there->st_mode)) {
            return no(409, "a directory has this name");
        } else if (!S_ISREG(there->st_mode)) {
            return no(409, "something that is no file has this name");
        }
        const struct stat* found = there ? &*there : nullptr;
        if (judge_conditions(request(), found, false) != condition::holds) {
            return no(412, "the file is not in the state that was asked for");
        }
        if (request().has(http_field::if_match) || request().has(http_field::if_unmodified_since) ||
            request().has(http_field::if_none_match)) {
            judge_again_of(found);
        }
        return true;
    }

    /// What held before the body came is to hold when the file gets its name.
    void judge_again_of(const struct stat* found) {
        // A date does not tell two states within its second apart.
        std::optional<file_state> known;
        if (found != nullptr && request().has(http_field::if_unmodified_since)) {
            known = file_state::of(*found);
        }
        asked().rule.holds = [this, known](const struct stat* there) {
            if (known && (there == nullptr || file_state::of(*there) != *known)) return false;
            return judge_conditions(request(), there, false) == condition::holds;
        };
    }

    bool no(unsigned status, std::string_view why) {
        x_.refuse(status, why);
        return false;
    }
    bool too_large() {
        counting().too_large.fetch_add(1, relaxed);
        x_.refuse(413,
                  fmt::format("a file has at most {} here", wire::format_size(options().max_size)));
        return false;
    }

    /// Of the whole file, where that is known.
    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept {
        return range() ? range()->total : request().length;
    }
    /// One name for one file on its way: the same bytes, sent again to the same place.
    [[nodiscard]] std::string key() const {
        return short_hash_of(fmt::format("{}\n{}\n{}", path(), *range()->total,
                                         promised() ? http::to_hex(*promised()) : "-"));
    }

    static void add_arrived(reply_text& to, std::uint64_t bytes) {
        if (bytes > 0) to.field("Range", http::format_arrived(bytes));
    }

    coro::task<void> tell_progress() {
        // Refused, the body would stand between this request and the next.
        if (request().chunked || request().length.value_or(0) > 0) {
            no(400, "who asks how far an upload is sends nothing with it");
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
                    add_entity_tag(x_.reply(204).add("ETag: "), found->now);
                    x_.out().add("\r\n").field("Repr-Digest", http::format_repr_digest(*digest));
                    x_.end_head();
                    co_return;
                }
            }
        }
        // Of a file that is all there, the last byte is sent again: that ends the upload.
        add_arrived(x_.reply(308), std::min(arrived, *range()->total - 1));
        x_.end_head(0);
    }

    /// Whether the body would be taken if it came now, told before it travels. Nothing is held
    /// while it is waited for.
    coro::task<bool> could_receive() {
        auto file = co_await open_file();
        co_return file&& can_hold(*file);
    }

    void no_body(error why) {
        if (why == fault::timed_out) {
            counting().slow_bodies.fetch_add(1, relaxed);
            no(408, "the body of the request did not come in time");
        } else {
            counting().lost.fetch_add(1, relaxed);
            x_.hang_up();
        }
    }

    /// The file that takes the bytes; none if that was refused.
    coro::task<std::optional<incoming>> open_file() {
        waits_ = range().has_value();
        if (waits_ && x_.files().partials().is_full()) {
            static_cast<void>(co_await on_disk(x_.door(), home(), [this] {
                return x_.files().make_room_for_part(path(), key());
            }));
        }
        std::optional<result<incoming>> tried;
        const auto open = [&] {
            tried.emplace(waits_ ? x_.files().resume(path(), key(), *range()->total)
                                 : x_.files().receive(path()));
        };
        open();
        const auto until = io::after(io::clock::now(), lock_time);
        while (!*tried && tried->error().is(EBUSY) && io::clock::now() < until) {
            auto slept = co_await io::sleep_for(home(), lock_pause);
            if (!slept) break;
            open();
        }
        // Where no part can wait, a file that comes in one piece can be received all the same.
        if (waits_ && !*tried && tried->error().is(EACCES)) {
            if (range()->part->length != *range()->total) {
                no(403, "the server may not keep parts of files here: send the file in one piece");
                co_return std::nullopt;
            }
            waits_ = false;
            open();
        }
        auto& opened = *tried;
        if (!opened && opened.error().is(EBUSY)) {
            x_.reply(503).field("Retry-After", 1);
            x_.end_with("somebody else sends this file at the moment; try again");
            co_return std::nullopt;
        }
        if (!opened) {
            x_.refuse_for(opened.error());
            co_return std::nullopt;
        }
        if (range()) {
            struct stat now{};
            const auto there = ::fstat(opened->fd(), &now) == 0 ? size_of(now) : 0;
            if (range()->part->offset > there) {
                add_arrived(x_.reply(409), there);
                x_.end_with("what lies before this part has not arrived");
                co_return std::nullopt;
            }
            base_ = range()->part->offset;
        }
        co_return std::move(*opened);
    }

    /// Whether there can be room for all of it; what is free is taken as the body comes.
    bool can_hold(incoming& file) {
        if (!total()) return true;
        const auto fits = file.can_hold(*total());
        if (fits) return true;
        // What has arrived of it would only be in the way of others.
        file.forget();
        x_.refuse_for(fits.error());
        return false;
    }

    /// Whether the answer tells the digest. Where the disk is waited for, it is made meanwhile.
    [[nodiscard]] bool digest_is_wanted(std::uint64_t size) const noexcept {
        return promised() || (content() && !range()) || x_.files().syncs() ||
               options().digest_always || size <= quick_digest || wish().value_or(false);
    }
    [[nodiscard]] std::optional<bool> wish() const noexcept {
        return http::wants_sha256(request().field(http_field::want_repr_digest));
    }

    // One coroutine for all that lasts: while the body is waited for, each frame is memory that is
    // held, and there may be many that have only begun.
    coro::task<void> receive() {
        std::optional<reception> begun;
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
                home(), io::poll{home(), x_.client().peer().fd(), io::interest::in}, pace.next());
            if (!pace.holds(io::clock::now(), body.told.bytes())) {
                whole = failure(fault::timed_out);
            } else if (!came && came.error() != fault::timed_out) {
                whole = failure(came.error());
            } else {
                whole = co_await take(body);
            }
        }
        if (!x_.step_in() && whole) whole = failure_of(ENOMEM);
        counting().bytes_stored.fetch_add(body.told.bytes(), relaxed);
        if (!whole) {
            if (body.help) body.help->digest.stop();
            stop(body.file, body.told, whole.error());
            co_return;
        }
        co_await end(body);
    }

    /// False if it was refused.
    coro::task<bool> begin(std::optional<reception>& body) {
        auto file = co_await open_file();
        if (!file || !can_hold(*file)) co_return false;
        body.emplace(*this, std::move(*file));
        co_return true;
    }

    [[nodiscard]] pace_limits limits() const noexcept {
        return {.window = options().body_time, .bytes_a_second = options().min_rate};
    }

    /// The body has come to its end.
    coro::task<void> end(reception& body) {
        const auto length = body.told.bytes();
        x_.body_is_done();
        if (range() && content()) {
            if (const bool same = co_await is_as_told(body.file, length); !same) co_return;
        }
        if (!ends_here()) {
            add_arrived(x_.reply(308), base_ + length);
            x_.end_head(0);
            co_return;
        }
        co_await finish(body.file, help_for(body).digest, base_ + length);
    }

    /// Whether the file is whole when this body is.
    [[nodiscard]] bool ends_here() const noexcept {
        return !range() || range()->part->last() + 1 == *range()->total;
    }
    [[nodiscard]] bool is_written_behind() const noexcept {
        return x_.files().syncs() && total().value_or(0) >= transfer::write_behind::piece;
    }
    /// Whether a thread goes along for the digest, with a descriptor of its own.
    [[nodiscard]] bool is_followed() const noexcept {
        const auto size = total().value_or(0);
        const bool worth_it = size > small_digest || request().chunked;
        return ends_here() && worth_it && digest_is_wanted(size);
    }

    aids& help_for(reception& body) {
        if (body.help) return *body.help;
        auto* const writers =
            is_written_behind() && !home().works_in_place() ? x_.door().writers().get() : nullptr;
        body.help = std::make_unique<aids>(*this, body.file.fd(), body.told, writers);
        return *body.help;
    }
    /// Once enough has come that it is worth it.
    void get_help(reception& body) {
        if (body.help || body.told.bytes() < small_digest) return;
        if (is_followed()) help_for(body).digest.start();
        if (is_written_behind()) help_for(body);
    }

    /// Whether a part is what its Content-Digest tells (RFC 9530, section 2). What is not is given
    /// up, from where it began.
    coro::task<bool> is_as_told(incoming& file, std::uint64_t length) {
        const int fd = file.fd();
        const auto end = base_ + length;
        auto made = co_await x_.door().upload_digests().run(
            home(), [this, fd, end]() -> result<http::sha256_value> {
                running_digest part{base_};
                if (auto read = part.go_to(fd, end); !read) return failure(read.error());
                return part.finish();
            });
        if (!made) {
            x_.refuse_for(made.error());
            co_return false;
        }
        if (*made == *content()) co_return true;
        counting().wrong_digests.fetch_add(1, relaxed);
        if (::ftruncate(fd, static_cast<off_t>(base_)) < 0) file.forget();
        no(422, "the part that arrived has another SHA-256 than Content-Digest tells");
        co_return false;
    }

    /// Takes what has come of the body, and waits for no more: whether that is all of it.
    coro::task<result<bool>> take(reception& body) {
        return body.chunks ? take_chunks(body) : take_bytes(body);
    }

    /// What was read last, or is read now; nothing where nothing has come.
    result<std::string_view> read_piece() noexcept {
        if (!x_.here().empty()) return x_.here();
        if (!x_.step_in()) return failure_of(ENOMEM);
        const auto got = x_.read_now();
        if (!got && got.error().is(EAGAIN)) return std::string_view{};
        if (!got) return failure(got.error());
        if (*got == 0) return failure(fault::ended);
        return x_.here();
    }

    /// Of as many bytes as the head promised.
    coro::task<result<bool>> take_bytes(reception& body) {
        const std::uint64_t length = *request().length;
        while (body.told.bytes() < length) {
            const auto done = body.told.bytes();
            if (body.streams || (x_.here().empty() && length - done > copied_body)) {
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
            if (auto made = body.room.cover(base_ + done + piece.size(), true); !made) {
                co_return failure(made.error());
            }
            auto written =
                co_await io::write_all_at{home(), body.file.fd(), as_bytes(piece), base_ + done};
            if (!written) co_return failure(written.error());
            x_.take(piece.size());
            body.told.add(piece.size());
        }
        co_return true;
    }

    /// Has the kernel move a part of the rest: false where no more has come. Nothing is held of the
    /// room, nor is anything left unsaid meanwhile.
    coro::task<result<bool>> stream(reception& body, std::uint64_t length) {
        body.streams = true;
        if (const bool sent = co_await x_.flush(); !sent) co_return failure(fault::cancelled);
        x_.step_out();
        get_help(body);
        const auto done = body.told.bytes();
        const bool is_helped = is_followed() || is_written_behind();
        const auto end = is_helped && !body.help ? std::min(length, done + small_digest) : length;
        bool dried = false;
        auto got = co_await at_pace<std::uint64_t>(home(), limits(), body.told, [&] {
            return transfer::receive_file(options().receive, x_.client().peer(),
                                          {.file = body.file.fd(),
                                           .offset = base_ + done,
                                           .most = end - done,
                                           .room = &body.room,
                                           .behind = body.help ? &body.help->behind : nullptr,
                                           .dried = &dried},
                                          body.told);
        });
        if (!got) co_return failure(got.error());
        if (*got < end - done && !dried) co_return failure(fault::ended);
        co_return !dried;
    }

    coro::task<result<bool>> take_chunks(reception& body) {
        for (;;) {
            const auto read = read_piece();
            if (!read) co_return failure(read.error());
            if (read->empty()) co_return false;
            const auto step = body.chunks->next(*read);
            const auto given = body.chunks->given();
            if (step.what == http::chunk_decoder::found::mistake) {
                asked().mistake = "the body is not in chunks, or what frames them is too long";
                co_return failure_of(EBADMSG);
            }
            if (given > options().max_size) co_return failure_of(EMSGSIZE);
            if (auto made = body.room.cover(given, true); !made) co_return failure(made.error());
            auto written = co_await io::write_all_at{home(), body.file.fd(), as_bytes(step.data),
                                                     given - step.data.size()};
            if (!written) co_return failure(written.error());
            body.told.add(step.data.size());
            get_help(body);
            x_.take(step.taken);
            if (step.what == http::chunk_decoder::found::end) break;
        }
        if (auto ended = end_chunks(body.file, *body.chunks); !ended) {
            co_return failure(ended.error());
        }
        co_return true;
    }

    result<void> end_chunks(incoming& file, const http::chunk_decoder& body) {
        // What was reserved beyond its end is given back.
        if (::ftruncate(file.fd(), static_cast<off_t>(body.given())) < 0) return failure_of(errno);
        for (const auto& [told, into] : {std::pair{&body.repr_digest(), &asked().promised},
                                         std::pair{&body.content_digest(), &asked().content}}) {
            const auto digest = http::parse_repr_digest(*told);
            if (!digest) {
                asked().mistake = digest.error();
                return failure_of(EBADMSG);
            }
            if (*digest) *into = *digest;
        }
        return {};
    }

    /// The body did not come whole, or could not be written.
    void stop(incoming& file, const transfer::moved& told, error why) {
        const auto say = [&](std::string_view what) {
            file.stop();
            x_.door().report(
                fmt::format("{} [Client {}] after {} bytes of {}: {}; {}", what, x_.number(),
                            told.bytes(), path(), why.message(),
                            waits_ ? "what came waits to be resumed" : "nothing was kept"));
        };
        if (why.is(EBADMSG)) {
            counting().bad_requests.fetch_add(1, relaxed);
            no(400, known().mistake);
        } else if (why.is(EMSGSIZE)) {
            too_large();
        } else if (why == fault::timed_out) {
            counting().slow_bodies.fetch_add(1, relaxed);
            say("Left");
            no(408, "the body of the request did not come in time");
        } else if (why == fault::ended || why == fault::cancelled || why.is(ECONNRESET) ||
                   why.is(EPIPE) || why.is(ETIMEDOUT)) {
            counting().lost.fetch_add(1, relaxed);
            say("Lost");
            // It may have ended its side alone, and wait for what it was answered before.
            x_.hang_up();
        } else {
            file.forget();
            say("Refused");
            x_.refuse_for(why);
        }
    }

    /// The digest, while the disk writes: whoever waits for both waits for the longer of the two.
    static result<http::sha256_value> finish_digest(incoming& file, digest_follower& digest,
                                                    std::uint64_t size) {
        side_job disk;
        if (digest.left(size) > small_digest) disk.start([&file] { return file.write_out(); });
        auto value = digest.finish(size);
        // The disk tells its trouble once (fsync(2)).
        if (auto written = disk.wait(); !written) return failure(written.error());
        return value;
    }

    /// When everything is to end, a digest that nobody asked for is not waited for.
    struct impatience : coro::cancel_hook {
        impatience(digest_follower& d, coro::context& within) noexcept
            : cancel_hook{[](cancel_hook& h) noexcept {
                  static_cast<impatience&>(h).digest.give_up();
              }},
              digest{d} {
            if (!within.cancelled()) within.watch(*this);
        }
        impatience(const impatience&) = delete;
        impatience& operator=(const impatience&) = delete;
        ~impatience() { unlink(); }

        digest_follower& digest;
    };

    struct kept {
        bool replaced = false;
        struct stat now{};
        std::optional<http::sha256_value> digest;
    };

    /// Gives the file its name, when its digest is what was told, where `wanted` asks for one. May
    /// take long; any thread.
    [[nodiscard]] result<kept> keep(incoming& file, digest_follower& digest, std::uint64_t size,
                                    bool wanted) {
        kept k;
        if (wanted && !asked().rule.digest) {
            const auto value = finish_digest(file, digest, size);
            if (value) {
                if (promised() && *promised() != *value) return failure_of(EBADMSG);
                if (content() && !range() && *content() != *value) return failure_of(EBADMSG);
                asked().rule.digest = *value;
            } else if (value.error() != fault::cancelled) {
                return failure(value.error());
            }
        }
        k.digest = asked().rule.digest;
        if (auto typed = keep_type(file); !typed) return failure(typed.error());
        const auto replaced = file.keep(path(), asked().rule);
        if (!replaced) return failure(replaced.error());
        k.replaced = *replaced;
        if (::fstat(file.fd(), &k.now) < 0) return failure_of(errno);
        return k;
    }

    coro::task<void> finish(incoming& file, digest_follower& digest, std::uint64_t size) {
        const bool wanted = digest_is_wanted(size);
        const auto work = [&] { return keep(file, digest, size, wanted); };
        auto& within = co_await coro::this_context();
        std::optional<impatience> end;
        if (!promised() && !content()) end.emplace(digest, within);
        // A long digest does not stand before those who wait for the disk alone.
        const bool is_long = wanted && digest.left(size) > small_digest;
        auto& door = x_.door();
        late_pool& workers = is_long ? door.upload_digests() : door.disk();
        const bool quick = !x_.files().syncs() && size <= small_digest;
        result<kept> done = failure(fault::cancelled);
        if (quick) {
            asked().rule.may_wait = false;
            done = work();
            asked().rule.may_wait = true;
        }
        if (!quick || (!done && done.error().is(EAGAIN))) {
            done = co_await workers.run(home(), work);
        }
        if (!done) {
            refuse_keeping(file, done.error());
            co_return;
        }
        answer(*done, size);
        if (!done->digest) x_.door().later().add(file.fd());
    }

    /// The type that came with it, where it is not what the name says anyway.
    [[nodiscard]] result<void> keep_type(incoming& file) const {
        const auto type = request().field(http_field::content_type);
        if (type.empty() || type == http::content_type_of(path())) return {};
        return keep_media_type(file.fd(), type);
    }

    void refuse_keeping(incoming& file, error why) {
        // Tried again, what has come of a part need not come again.
        if (!why.is(EBUSY)) file.forget();
        if (why.is(EBADMSG)) {
            counting().wrong_digests.fetch_add(1, relaxed);
            x_.door().report(
                fmt::format("Refused [Client {}] as {}: its digest is not the one that "
                            "was told; nothing was kept",
                            x_.number(), path()));
            no(422, "what arrived has another SHA-256 than was told with it; nothing was kept");
        } else if (why.is(ENOTSUP)) {
            no(415, "this directory's file system cannot keep a Content-Type: send none");
        } else if (why.is(EEXIST)) {
            no(412, "the file has changed meanwhile; nothing was kept");
        } else if (why.is(EISDIR) || why.is(ENOTDIR) || why.is(EINVAL)) {
            no(409, "something that is no file has this name");
        } else if (why.is(EXDEV)) {
            no(409, "another file system was mounted here meanwhile; send the file again");
        } else {
            x_.door().report(fmt::format("Refused [Client {}] as {}: {}; nothing was kept",
                                         x_.number(), path(), why.message()));
            x_.refuse_for(why);
        }
    }

    void answer(const kept& k, std::uint64_t size) {
        counting().stored.fetch_add(1, relaxed);
        if (base_ > 0) counting().resumed.fetch_add(1, relaxed);
        auto& to = x_.reply(k.replaced ? 204 : 201);
        to.add("Location: /").add(http::percent_encode_path(path())).add("\r\nETag: ");
        add_entity_tag(to, k.now);
        to.add("\r\n");
        std::string digest;
        if (k.digest) {
            if (wish().value_or(true)) to.field("Repr-Digest", http::format_repr_digest(*k.digest));
            digest = fmt::format(" (sha256 {})", http::to_hex(*k.digest));
        }
        if (k.replaced) {
            x_.end_head();
        } else {
            x_.end_head(0);
        }
        x_.door().report(fmt::format("Received {} bytes from [Client {}] as {}{}", size,
                                     x_.number(), path(), digest));
    }

    http_exchange& x_;
    std::unique_ptr<demands> demands_;
    std::uint64_t base_ = 0;  // where in the file the body begins
    bool waits_ = false;      // what has come stays if the rest does not
};

}  // namespace

coro::task<void> answer_put(http_exchange& x) {
    return upload::run(x);
}

}  // namespace sluice::files
