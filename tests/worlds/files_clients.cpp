// Implements the clients of the world of files.
#include "tests/worlds/files_clients.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <span>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/files/client/download.hpp"
#include "sluice/files/client/upload.hpp"
#include "sluice/files/sha256.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/http/range.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/signal_action.hpp"
#include "tests/worlds/secure.hpp"
#include "tests/worlds/server.hpp"

namespace sluice::worlds {
namespace {

using namespace std::chrono_literals;

std::string repr_digest(std::string_view text) {
    return http::format_repr_digest(files::sha256_of(text));
}

/// `text` in chunks, with the trailer `digest` if that is not empty.
std::string in_chunks(sim::random& chance, std::string_view text, const std::string& digest) {
    std::string body;
    while (!text.empty()) {
        const auto n = std::min<std::size_t>(
            text.size(), static_cast<std::size_t>(chance.log_uniform(1, 40'000)));
        body += fmt::format("{:x}\r\n{}\r\n", n, text.substr(0, n));
        text.remove_prefix(n);
    }
    body += "0\r\n";
    if (!digest.empty()) body += fmt::format("Repr-Digest: {}\r\n", digest);
    return body + "\r\n";
}

/// A new file of the machine with `text`, open; closed if that failed.
unique_fd make_source(const std::string& name, std::string_view text) {
    unique_fd file{
        os::sys().openat(AT_FDCWD, name.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600)};
    for (std::uint64_t done = 0; file && done < text.size();) {
        const auto n = os::sys().pwrite(file.get(), as_bytes(text.substr(done)), done);
        if (n == -EINTR) continue;
        if (n <= 0) return unique_fd{};
        done += static_cast<std::uint64_t>(n);
    }
    return file;
}

/// The file's text; none where it cannot be read.
std::optional<std::string> read_file(const std::string& name) {
    const unique_fd file{os::sys().openat(AT_FDCWD, name.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) return std::nullopt;
    std::string text;
    for (;;) {
        std::array<std::byte, 8192> piece{};
        const auto n = os::sys().pread(file.get(), piece, text.size());
        if (n == -EINTR) continue;
        if (n < 0) return std::nullopt;
        if (n == 0) return text;
        text += as_text(std::span{piece}.first(static_cast<std::size_t>(n)));
    }
}

}  // namespace

bool http_speaker::send_in_pieces(std::string_view text) {
    auto& chance = scene_.s.chance();
    const double splits = chance.chance(0.3) ? 0.5 : 0.02;
    while (!text.empty()) {
        const auto n = chance.chance(splits)
                           ? 1 + static_cast<std::size_t>(chance.below(text.size()))
                           : text.size();
        if (!connection_->send(text.substr(0, n))) return false;
        text.remove_prefix(n);
    }
    return true;
}

std::optional<http_answer> http_speaker::answer(bool has_no_body, bool or_continue) {
    for (;;) {
        http::http_response_reader reader{has_no_body};
        if (!reader.feed(std::exchange(arrived_, {}))) scene_.s.fail("an answer is no HTTP");
        while (!reader.has_head()) {
            const auto more = connection_->some();
            if (!more || more->empty()) return std::nullopt;
            if (const auto fed = reader.feed(*more); !fed) {
                scene_.s.fail(fmt::format("an answer is no HTTP: {}", fed.error()));
            }
        }
        http_answer a{.head = reader.head(), .body = {}};
        if (a.head.status < 200) {
            arrived_ = reader.take_rest();
            if (or_continue) return a;
            continue;
        }
        auto fed = reader.feed_body({}, a.body);
        while (fed && !reader.done()) {
            const auto more = connection_->some();
            if (!more) return a;
            if (more->empty()) {
                a.is_whole = reader.finish().has_value() && reader.done();
                return a;
            }
            fed = reader.feed_body(*more, a.body);
        }
        if (!fed) scene_.s.fail(fmt::format("a body is no HTTP: {}", fed.error()));
        a.is_whole = true;
        a.head = reader.head();
        return a;
    }
}

std::optional<http_answer> http_speaker::ask(const std::string& head, std::string_view body,
                                             const request_manner& how) {
    auto& chance = scene_.s.chance();
    if (connection_ && chance.chance(0.3)) connection_.reset();
    if (!connection_) {
        arrived_.clear();
        connection_ = plain_client::connect(scene_.http_port, scene_.patience);
    }
    if (!connection_) return std::nullopt;
    const bool has_no_body = head.starts_with("HEAD ");
    std::string first = head + "Host: store\r\n";
    if (how.asks_first) first += "Expect: 100-continue\r\n";
    first += "\r\n";
    std::optional<http_answer> a;
    if (how.asks_first) {
        const bool sent = send_in_pieces(first);
        if (sent) a = answer(has_no_body, true);
        if (!a) {
            connection_.reset();
            return a;
        }
        first.clear();
    }
    if (!a || a->head.status == 100) {
        body = body.substr(0, how.most.value_or(body.size()));
        const auto half = how.halfway ? body.size() / 2 : body.size();
        first += body.substr(0, half);
        // A refusal may be there before all was sent.
        const bool sent = send_in_pieces(first);
        if (how.halfway) {
            how.halfway();
            if (sent) static_cast<void>(send_in_pieces(body.substr(half)));
        }
        if (how.most) {
            if (how.falls_silent) {
                silent_ = std::move(connection_);
            } else {
                connection_->reset();
            }
            connection_.reset();
            return std::nullopt;
        }
        a = answer(has_no_body, false);
    }
    if (!a || !a->is_whole || !a->head.keep_alive || (how.asks_first && a->head.status >= 300)) {
        connection_.reset();
    }
    return a;
}

std::string files_client::state() const {
    return fmt::format("client {} ({} left): {}\n", number_, left_, doing_);
}

std::string files_client::pick_path() {
    auto& chance = scene_.s.chance();
    constexpr std::array<std::string_view, 4> shared{"a", "b", "d/a", "d/e/a"};
    if (chance.chance(0.6)) return std::string{shared[chance.below(shared.size())]};
    return fmt::format("own/{}", number_);
}

std::size_t files_client::draw_size() {
    auto& chance = scene_.s.chance();
    if (chance.chance(0.05)) return 0;
    const double largest = chance.chance(0.1) ? 1'500'000 : 20'000;
    return static_cast<std::size_t>(chance.log_uniform(1, largest));
}

void files_client::run() {
    // As the program does.
    os::set_signal_action(SIGPIPE, SIG_IGN);
    while (left_ > 0) {
        do_one();
        --left_;
        if (scene_.s.chance().chance(0.3)) wait_a_while();
    }
    speaker_.leave();
}

void files_client::do_one() {
    const auto path = pick_path();
    switch (scene_.s.chance().below(16)) {
        case 0: remove(path); break;
        case 1:
        case 2: put_conditionally(path); break;
        case 3:
        case 4:
        case 5: put_parts(path); break;
        case 6:
        case 7: put_by_the_program(path); break;
        case 8:
        case 9: stream(); break;
        case 10:
        case 11: get(path); break;
        case 12: get_by_the_program(path); break;
        default: put_whole(path); break;
    }
}

files_client::outcome files_client::settle(const std::string& path, std::size_t number,
                                           const std::optional<http_answer>& a,
                                           sim::virtual_time since) {
    auto& ledger = scene_.ledger;
    if (!a) return outcome::unsure;
    const auto status = a->head.status;
    const bool healthy = scene_.is_healthy(since);
    if (status == 201 || status == 204) {
        ledger.acknowledge(path, number);
        return outcome::over;
    }
    if (status == 507 && scene_.may_be_full && healthy) {
        ledger.give_up(path, number);
        return outcome::over;
    }
    scene_.s.require(
        !healthy || status == 503 || status == 408,
        fmt::format("/{}: a healthy request was answered {} {}", path, status, a->body));
    scene_.s.require(status >= 500 || status == 408,
                     fmt::format("/{}: {} {}", path, status, a->body));
    return status >= 500 ? outcome::unsure : outcome::refused;
}

void files_client::put_whole(const std::string& path) {
    auto& chance = scene_.s.chance();
    auto& ledger = scene_.ledger;
    const auto text = ledger.new_text(draw_size());
    auto number = ledger.begin(path, text);
    const bool lies = chance.chance(0.1);
    const auto digest = lies                 ? repr_digest(text + "!")
                        : chance.chance(0.5) ? repr_digest(text)
                                             : std::string{};
    doing_ = fmt::format("put {} bytes at {}", text.size(), path);
    for (;;) {
        const bool chunked = chance.chance(0.4);
        const bool at_end = chunked && chance.chance(0.5);
        std::string head = fmt::format("PUT /{} HTTP/1.1\r\n", path);
        if (!digest.empty() && !at_end) head += fmt::format("Repr-Digest: {}\r\n", digest);
        head += chunked ? "Transfer-Encoding: chunked\r\n"
                        : fmt::format("Content-Length: {}\r\n", text.size());
        const auto body = chunked ? in_chunks(chance, text, at_end ? digest : "") : text;
        request_manner how{.asks_first = chance.chance(0.15)};
        if (chance.chance(0.05)) how.most = chance.below(body.size() + 1);
        const auto since = ledger.now();
        const auto a = speaker_.ask(head, body, how);
        if (lies && a && a->head.status == 422) {
            ledger.refuse(path, number);
            return;
        }
        scene_.s.require(!lies || !a || a->head.status >= 400,
                         fmt::format("/{} was taken with another digest", path));
        const auto now = settle(path, number, a, since);
        if (now == outcome::over) {
            const auto told = a->head.field("Repr-Digest");
            scene_.s.require(!told || *told == repr_digest(text),
                             fmt::format("/{} has another digest", path));
            return;
        }
        if (now == outcome::unsure && !lies) number = ledger.begin_again(path, number);
        wait_a_while();
    }
}

void files_client::put_conditionally(const std::string& path) {
    auto& chance = scene_.s.chance();
    auto& ledger = scene_.ledger;
    const auto text = ledger.new_text(draw_size());
    doing_ = fmt::format("put at {} on a condition", path);
    std::string condition = "If-None-Match: *\r\n";
    std::optional<std::string> known;
    std::string tag;
    if (chance.chance(0.5)) {
        const auto there = speaker_.ask(fmt::format("GET /{} HTTP/1.1\r\n", path));
        if (!there || !there->is_whole || there->head.status != 200) return;
        known = there->body;
        tag = there->head.field("ETag").value_or("?");
        condition = fmt::format("If-Match: {}\r\n", tag);
    }
    request_manner how;
    auto since = ledger.now();
    if (!text.empty() && chance.chance(0.3)) {
        how.halfway = [&] {
            put_beside(path);
            // The condition must hold when all has arrived.
            since = ledger.now();
        };
    }
    const auto number = ledger.begin(path, text);
    const auto a = speaker_.ask(
        fmt::format("PUT /{} HTTP/1.1\r\n{}Content-Length: {}\r\n", path, condition, text.size()),
        text, how);
    // Another attempt would meet its own file.
    if (!a || a->head.status >= 500 || a->head.status == 408) {
        ledger.give_up(path, number);
        return;
    }
    if (a->head.status == 412) {
        ledger.refuse(path, number);
        return;
    }
    scene_.s.require(a->head.status == (known ? 204 : 201),
                     fmt::format("/{}: {} on a condition: {}", path, a->head.status, a->body));
    scene_.s.require(ledger.may_find(path, known, since),
                     fmt::format("/{} was written on a condition that did not hold", path));
    if (known) {
        scene_.s.require(ledger.replace_once(path, tag),
                         fmt::format("/{}: two writers have replaced the same state", path));
    }
    ledger.acknowledge(path, number);
}

/// A small file, on a connection of its own; one attempt.
void files_client::put_beside(const std::string& path) {
    auto& ledger = scene_.ledger;
    constexpr std::size_t most = 200;
    const auto text = ledger.new_text(scene_.s.chance().below(most));
    const auto number = ledger.begin(path, text);
    const auto since = ledger.now();
    http_speaker other{scene_};
    const auto a = other.ask(
        fmt::format("PUT /{} HTTP/1.1\r\nContent-Length: {}\r\n", path, text.size()), text);
    if (settle(path, number, a, since) != outcome::over) ledger.give_up(path, number);
}

void files_client::put_parts(const std::string& path) {
    auto& chance = scene_.s.chance();
    auto& ledger = scene_.ledger;
    const auto text =
        ledger.new_text(ledger.own_size(static_cast<std::size_t>(chance.log_uniform(10, 300'000))));
    auto number = ledger.begin(path, text);
    const bool tells_digest = chance.chance(0.3) || scene_.needs_digests;
    const auto digest = tells_digest ? repr_digest(text) : std::string{};
    while (!send_part(path, number, text, digest)) {
        if (!chance.chance(0.1)) continue;
        // What has arrived stays on the server for a while.
        ledger.give_up(path, number);
        return;
    }
}

/// Asks how much has arrived, and sends the next part. True if the upload is over.
bool files_client::send_part(const std::string& path, std::size_t& number, const std::string& text,
                             const std::string& digest) {
    auto& chance = scene_.s.chance();
    auto& ledger = scene_.ledger;
    std::string head = fmt::format("PUT /{} HTTP/1.1\r\n", path);
    if (!digest.empty()) head += fmt::format("Repr-Digest: {}\r\n", digest);
    auto since = ledger.now();
    doing_ = fmt::format("ask for the part of {} bytes at {}", text.size(), path);
    auto a = speaker_.ask(
        head + fmt::format("Content-Range: bytes */{}\r\nContent-Length: 0\r\n", text.size()));
    if (!a || a->head.status != 308) {
        return is_over(path, number, a, since);
    }
    const auto range = a->head.field("Range");
    const auto arrived = range ? http::parse_arrived(*range) : std::optional<std::uint64_t>{0};
    scene_.s.require(
        arrived && *arrived < text.size(),
        fmt::format("/{}: of {} bytes there are '{}'", path, text.size(), range.value_or("none")));
    const auto from = static_cast<std::size_t>(*arrived);
    const auto left = text.size() - from;
    const auto size = chance.chance(0.5) ? left : 1 + static_cast<std::size_t>(chance.below(left));
    doing_ = fmt::format("put {} of {} bytes from {} at {}", size, text.size(), from, path);
    head += fmt::format("Content-Range: bytes {}-{}/{}\r\nContent-Length: {}\r\n", from,
                        from + size - 1, text.size(), size);
    if (chance.chance(0.2)) {
        head += fmt::format("Content-Digest: {}\r\n", repr_digest(text.substr(from, size)));
    }
    request_manner how{.asks_first = chance.chance(0.1), .falls_silent = chance.chance(0.5)};
    if (chance.chance(0.2)) how.most = chance.below(size + 1);
    since = ledger.now();
    a = speaker_.ask(head, std::string_view{text}.substr(from, size), how);
    if (a && (a->head.status == 308 || a->head.status == 409)) return false;
    if (a && a->head.status == 422) {
        // The digest of the whole says that what had arrived is not what was sent.
        scene_.s.require(!digest.empty(), fmt::format("/{}: 422 {}", path, a->body));
        wait_a_while();
        return false;
    }
    return is_over(path, number, a, since);
}

bool files_client::is_over(const std::string& path, std::size_t& number,
                           const std::optional<http_answer>& a, sim::virtual_time since) {
    const auto now = settle(path, number, a, since);
    if (now == outcome::over) return true;
    if (now == outcome::unsure) number = scene_.ledger.begin_again(path, number);
    wait_a_while();
    return false;
}

void files_client::remove(const std::string& path) {
    auto& ledger = scene_.ledger;
    auto number = ledger.begin(path, std::nullopt);
    doing_ = fmt::format("remove {}", path);
    for (;;) {
        const auto since = ledger.now();
        const auto a = speaker_.ask(fmt::format("DELETE /{} HTTP/1.1\r\n", path));
        if (a && a->head.status == 404) {
            ledger.require_found(path, std::nullopt, since, "404 of DELETE");
            ledger.give_up(path, number);
            return;
        }
        if (is_over(path, number, a, since)) return;
    }
}

void files_client::get(const std::string& path) {
    auto& chance = scene_.s.chance();
    auto& ledger = scene_.ledger;
    doing_ = fmt::format("get {}", path);
    const auto since = ledger.now();
    const auto what = chance.below(4);
    std::string head = fmt::format("{} /{} HTTP/1.1\r\n", what == 0 ? "HEAD" : "GET", path);
    if (what == 1) {
        const auto first = chance.below(20'000);
        head += fmt::format("Range: bytes={}-{}\r\n", first, first + chance.below(20'000));
    }
    const auto a = speaker_.ask(head);
    if (!a) return;
    const auto status = a->head.status;
    if (status == 404) {
        ledger.require_found(path, std::nullopt, since, "404 of GET");
        return;
    }
    if (status == 416) return;
    if ((status >= 500 || status == 408) && !scene_.is_healthy(since)) return;
    std::string_view range = a->head.field("Content-Range").value_or("");
    scene_.s.require(status == (range.empty() ? 200 : 206),
                     fmt::format("GET /{}: {} {}", path, status, a->body));
    const auto part = http::parse_content_range(range);
    scene_.s.require(range.empty() || (part && part->part && part->total), "a wrong range");
    const bool fits = ledger.may_find_one(path, since, [&](const std::string& text) {
        if (what == 0) return a->head.length == text.size();
        if (!range.empty()) {
            if (*part->total != text.size()) return false;
            const auto slice =
                std::string_view{text}.substr(static_cast<std::size_t>(part->part->offset),
                                              static_cast<std::size_t>(part->part->length));
            return a->is_whole ? slice == a->body : slice.starts_with(a->body);
        }
        return a->is_whole ? text == a->body : text.starts_with(a->body);
    });
    if (!fits && a->is_whole && status == 200 && what != 0) {
        ledger.require_found(path, a->body, since, "GET");
    }
    scene_.s.require(fits, fmt::format("{} of /{} found {} bytes that it may not find since {}: {}",
                                       what == 0 ? "HEAD" : "GET", path, a->body.size(), since,
                                       a->body.substr(0, 40)));
    const auto told = a->head.field("Repr-Digest");
    scene_.s.require(
        !told || what == 0 || status != 200 || !a->is_whole || *told == repr_digest(a->body),
        fmt::format("GET /{}: the digest is of another file", path));
}

void files_client::stream() {
    auto& chance = scene_.s.chance();
    auto& ledger = scene_.ledger;
    const auto text = ledger.new_text(1 + draw_size());
    doing_ = fmt::format("stream {} bytes", text.size());
    for (;;) {
        const auto since = ledger.now();
        if (auto peer = plain_client::connect(scene_.raw_port, scene_.patience)) {
            const auto number = ledger.begin_stream(text);
            bool sent = true;
            for (std::string_view left = text; sent && !left.empty();) {
                const auto n = chance.chance(0.1)
                                   ? 1 + static_cast<std::size_t>(chance.below(left.size()))
                                   : left.size();
                sent = peer->send(left.substr(0, n));
                left.remove_prefix(n);
                if (chance.chance(0.03)) sent = false;
            }
            if (!sent) {
                // Closed in order, it would be the whole stream.
                peer->reset();
            } else {
                ledger.end_stream(number);
                peer->shut();
                if (peer->ended()) {
                    ledger.acknowledge_stream(number);
                    return;
                }
            }
            // Refused by a reset, in the middle or at the end.
            if (scene_.may_be_full && scene_.is_healthy(since)) return;
        }
        wait_a_while();
    }
}

void files_client::put_by_the_program(const std::string& path) {
    auto& chance = scene_.s.chance();
    auto& ledger = scene_.ledger;
    const auto text = ledger.new_text(draw_size());
    const auto number = ledger.begin(path, text);
    doing_ = fmt::format("put {} bytes at {} by put_file()", text.size(), path);
    for (;;) {
        const auto since = ledger.now();
        const auto source = make_source(fmt::format("/client/put-{}", number_), text);
        auto engine = io::make_engine(chance.chance(0.5) ? io::engine_kind::epoll
                                                         : io::engine_kind::blocking);
        if (source && engine) {
            const files::client_options options{
                .where = {net::address::loopback(scene_.http_port)},
                .authority = "store",
                .over = client_tls(),
                .protocol = "http/1.1",
                // It waits ten times as long for the answer to a whole file.
                .timeout = scene_.patience / 3,
                .retries = 3};
            io::offload_pool readers{{.workers = 1}};
            files::link link{**engine, readers, options};
            files::progress state;
            coro::context root{(*engine)->ready()};
            auto done = io::run(**engine,
                                files::put_file(link, {.file = source.get(), .size = text.size()},
                                                "/" + path, state),
                                root);
            link.drop();
            if (done) {
                ledger.acknowledge(path, number);
                return;
            }
            if (scene_.is_healthy(since) && scene_.may_be_full) {
                ledger.give_up(path, number);
                return;
            }
        }
        wait_a_while();
    }
}

void files_client::get_by_the_program(const std::string& path) {
    auto& ledger = scene_.ledger;
    doing_ = fmt::format("get {} by get_file()", path);
    const auto name = fmt::format("/client/get-{}-{}", number_, left_);
    auto into = files::partial_file::beside(name);
    auto engine = make_client_engine(scene_.s);
    if (!into || !engine) return;
    const auto since = ledger.now();
    const files::client_options options{
        .where = {net::address::loopback(scene_.http_port)},
        .authority = "store",
        .over = client_tls(),
        .protocol = "http/1.1",
        // It waits ten times as long for the answer to a whole file.
        .timeout = scene_.patience / 3,
        .retries = 3};
    io::offload_pool readers{{.workers = 1}};
    files::link link{**engine, readers, options};
    files::progress state;
    coro::context root{(*engine)->ready()};
    auto done = io::run(**engine, files::get_file(link, "/" + path, *into, {}, state), root);
    link.drop();
    if (!done) return;
    // A power loss of the machine takes the client's disk, too.
    const auto text = read_file(name);
    if (text && scene_.power_losses == 0) ledger.require_found(path, *text, since, "get_file()");
}

void lock_names(const files_scene& scene, const char* directory) {
    auto& chance = scene.s.chance();
    while (scene.healed_at < 0) {
        os::sleep_for(std::chrono::milliseconds{chance.between(1, 200)});
        const unique_fd folder{
            os::sys().openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)};
        if (folder && os::sys().flock(folder.get(), LOCK_EX | LOCK_NB) == 0) {
            os::sleep_for(std::chrono::milliseconds{chance.between(0, 20)});
        }
    }
}

}  // namespace sluice::worlds
