// A download or an upload at a server that answers any bytes, in any split: the same file and the
// same error.
#include <fcntl.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fuzz/door.hpp"
#include "sluice/base/check.hpp"
#include "sluice/files/client/download.hpp"
#include "sluice/files/client/upload.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/lingering_close.hpp"
#include "sluice/os/cgroup.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::file_client_target {
namespace {

using namespace std::chrono_literals;

constexpr const char* target = "/client/a";

enum class errand : std::uint8_t { get, put, put_in_parts };

/// What the client has in the end. Why it has nothing depends on the split: a head that is broken
/// is refused where that is seen, or the stream ends before.
struct outcome {
    std::optional<std::string> file;  ///< the content of what was downloaded
    bool done = false;
    bool verified = false;  ///< the server's digest of an upload is right
    friend bool operator==(const outcome&, const outcome&) = default;
};

/// Answers each request with the same bytes, in pieces.
coro::task<void> answer(model::session& client, const fuzz::stream& bytes) {
    std::string asked;
    while (!asked.contains("\r\n\r\n")) {
        auto got = co_await client.recv();
        if (!got || got->empty()) co_return;
        asked += got->text();
    }
    co_await fuzz::say(client, bytes);
    co_await net::lingering_close(client.peer(), client.drain_context());
}

outcome failed_with(const files::transfer_error& error) {
    check(!error.what.empty() && wire::is_printable(error.what), "an error without fit words");
    return {};
}

outcome download(io::engine& engine, files::link& conn) {
    files::progress state;
    auto into = files::partial_file::beside(target).value();
    auto got = io::run(engine, files::get_file(conn, "/a", into, {.sync = false}, state));
    if (!got) return failed_with(got.error());
    outcome o{.file = read_small_file(target), .done = true};
    check(o.file && o.file->size() == got->bytes, "a file of another length than was said");
    return o;
}

outcome upload(io::engine& engine, files::link& conn, std::uint64_t size) {
    files::progress state;
    const unique_fd file{os::sys().openat(AT_FDCWD, target, O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    check(file && os::sys().ftruncate(file.get(), size) == 0, "no file");
    auto put =
        io::run(engine, files::put_file(conn, {.file = file.get(), .size = size}, "/a", state));
    if (!put) return failed_with(put.error());
    check(put->bytes == size && put->resumed_from <= size, "other bytes than there are");
    return {.file = {}, .done = true, .verified = put->verified};
}

outcome run_client(errand what, unsigned retries) {
    const auto engine = io::make_engine(io::engine_kind::epoll).value();
    io::offload_pool readers{{.workers = 1, .queue = 4}};
    const files::client_options options{.where = {net::address::loopback(worlds::usual_port)},
                                        .authority = "localhost:5000",
                                        .timeout = 5s,
                                        .retries = retries,
                                        .insist = true};
    files::link conn{*engine, readers, options};
    if (what == errand::get) return download(*engine, conn);
    constexpr std::uint64_t small = 5;
    return upload(*engine, conn, what == errand::put ? small : files::worth_resuming);
}

outcome serve_it(errand what, unsigned retries, const fuzz::stream& answered) {
    outcome o;
    fuzz::play([&](worlds::stage& s) {
        auto& disk = s.kernel().disk();
        static_cast<void>(disk.make_folder(disk.root(), "/client", 0755));
        sim::process& server = s.start("server", [&] {
            fuzz::serve(s, {.serve = [&](auto& client) { return answer(client, answered); }});
        });
        sim::process& client = s.start("client", [&] { o = run_client(what, retries); });
        end_both(s, client, server);
    });
    return o;
}

}  // namespace

/// Bit 3 of the first byte: the client tries again after an error. Bits 4 and 5: what it does.
void examine(std::string_view input) {
    const unsigned first = input.empty() ? 0 : static_cast<unsigned char>(input.front());
    constexpr errand errands[] = {errand::get, errand::put, errand::put_in_parts, errand::get};
    const auto what = errands[(first >> 4U) & 3U];
    const auto answered = stream::of(input);
    if ((first & 8U) != 0) {
        // What had come of a broken answer depends on its split, and so does what is asked next.
        static_cast<void>(serve_it(what, 2, answered));
        return;
    }
    static_cast<void>(same_for_any_split(
        answered, [what](const stream& bytes) { return serve_it(what, 0, bytes); }));
}

}  // namespace sluice::fuzz::file_client_target
