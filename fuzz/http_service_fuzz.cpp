// A connection to the HTTP endpoint under any bytes: many requests, in any pieces, on epoll and
// io_uring.
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/input.hpp"
#include "fuzz/sample_accounts.hpp"
#include "sluice/auth/authenticator.hpp"
#include "sluice/base/check.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/files/server/http_service.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/files/server/visitors.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/model/event_log.hpp"
#include "sluice/model/serve_connection.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/network.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::http_service_target {
namespace {

namespace fs = std::filesystem;

/// A directory with the same few files in it before every run.
class folder {
 public:
    folder() {
        std::string name = fs::temp_directory_path() / "sluice-fuzz-XXXXXX";
        check(::mkdtemp(name.data()) != nullptr, "a directory cannot be made");
        path_ = name;
    }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;
    ~folder() { fs::remove_all(path_); }

    void tidy() const {
        for (const auto& each : fs::directory_iterator{path_}) {
            const auto name = each.path().filename();
            if (name != "a" && name != "large" && name != "d") fs::remove_all(each.path());
        }
        fs::create_directory(path_ / "d");
        for (const auto& each : fs::directory_iterator{path_ / "d"}) fs::remove_all(each.path());
        write("a", 6);
        write("large", 200'000);
    }
    [[nodiscard]] std::string path() const { return path_; }

 private:
    void write(const char* name, std::size_t size) const {
        std::error_code missing;
        if (fs::is_regular_file(path_ / name) && fs::file_size(path_ / name, missing) == size) {
            return;
        }
        fs::remove_all(path_ / name);
        std::ofstream{path_ / name} << std::string(size, 'x');
    }

    fs::path path_;
};

files::http_options options(files::visitors* who) {
    files::http_options o;
    o.max_size = 1U << 20U;
    o.allowed = files::permissions::everything();
    o.who = who;
    o.hosts = {"files.example.org"};
    o.pages = {"https://app.example.net"};
    o.proxies = {net::network::parse("unix").value(), net::network::parse("10.0.0.0/8").value()};
    o.report = o.remark = o.detail = [](std::string_view line) {
        check(wire::is_printable(line), "a line of the log that a terminal obeys");
    };
    o.max_line = 512;
    o.max_head = 2048;
    return o;
}

struct house {
    folder files;
    files::store store = files::store::open(files.path(), {.sync = false}).value();
    files::http_service open_to_all{store, options(nullptr)};
    model::event_log event_log{{}};
    std::vector<std::unique_ptr<io::engine>> engines;

    house() {
        // As the program does: the kernel signals what is sent to a client that is gone.
        std::signal(SIGPIPE, SIG_IGN);
        for (const auto kind : {io::engine_kind::epoll, io::engine_kind::uring}) {
            // Not every machine has io_uring.
            if (auto made = io::make_engine(kind)) engines.push_back(std::move(*made));
        }
    }
};

/// Asks who its clients are; none of them has failed to prove it before.
struct asking_service {
    auth::authenticator who{sample_accounts("all", "* - - read:/d\n"), {}};
    files::visitors visitors{who};
    files::http_service serves;

    explicit asking_service(files::store& files) : serves{files, options(&visitors)} {}
};

/// Sends all pieces, then ends its side.
coro::task<void> send(net::connection& peer, fuzz::pieces& says) {
    for (auto piece = says.next(); !piece.empty(); piece = says.next()) {
        auto sent = co_await peer.send_all(piece);
        if (!sent) break;
    }
    co_await peer.end_sending();
}

coro::task<void> receive(net::connection& peer, std::string& into) {
    std::array<char, 4096> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    for (;;) {
        auto got = co_await peer.recv_into(std::as_writable_bytes(std::span{buffer}));
        if (!got || *got == 0) co_return;
        into.append(buffer.data(), *got);
    }
}

coro::task<void> converse(house& all, const model::service& serve, io::engine& e,
                          fuzz::pieces& says, std::string& answers) {
    std::array<int, 2> ends{};
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0, "no sockets");
    unique_fd served{ends[0]};
    net::connection peer{e, unique_fd{ends[1]}};
    coro::context drain{e.ready()};
    coro::scope talk{co_await coro::this_context()};
    check(talk.spawn(model::serve_connection(e, std::move(served), drain, serve, all.event_log))
              .has_value(),
          "no memory");
    check(talk.spawn(send(peer, says)).has_value(), "no memory");
    co_await receive(peer, answers);
    co_await peer.close();
    co_await talk.join();
}

/// The statuses of the answers, as far as bodies let them be recognised; 100 (Continue) is left
/// out, which depends on what has come when.
std::string statuses(std::string_view answers) {
    constexpr std::string_view lead = "HTTP/1.1 ";
    std::string found;
    for (auto at = answers.find(lead); at != std::string_view::npos;
         at = answers.find(lead, at + 1)) {
        const auto status = answers.substr(at + lead.size(), 3);
        if (status != "100") found.append(status).append(" ");
    }
    return found;
}

}  // namespace

/// Bit 3 of the first byte: the server asks who its clients are.
void examine(std::string_view input) {
    static house all;
    const bool asks = !input.empty() && (static_cast<unsigned char>(input.front()) & 8U) != 0;
    const auto sent = stream::of(input);
    std::optional<std::string> first;
    for (const auto& engine : all.engines) {
        const auto found = same_for_any_split(sent, [&](const stream& said) {
            pieces says{said};
            all.files.tidy();
            std::optional<asking_service> asking;
            if (asks) asking.emplace(all.store);
            const auto serve = (asks ? asking->serves : all.open_to_all).service();
            std::string answers;
            io::run(*engine, converse(all, serve, *engine, says, answers));
            check(answers.empty() || answers.starts_with("HTTP/1.1 "), "an answer is one of HTTP");
            return statuses(answers);
        });
        check(first.value_or(found) == found, "another engine answers otherwise");
        first = found;
    }
}

}  // namespace sluice::fuzz::http_service_target
