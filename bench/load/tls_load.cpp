// Moves files over TLS 1.3 and makes handshakes for a comparison: downloads whose records are
// dropped in the kernel, uploads that come from memory, full and resumed handshakes one after
// another; says in JSON how fast that was.
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "bench/load/common.hpp"
#include "bench/load/options.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/tls/openssl.hpp"

namespace {

using ticket_ptr = std::unique_ptr<SSL_SESSION, sluice::tls::free_by<&SSL_SESSION_free>>;

constexpr std::uint64_t largest = std::uint64_t{1} << 40;
// A server that leaves its client waiting for so long is stuck.
constexpr timeval longest_wait{.tv_sec = 60, .tv_usec = 0};
// A record carries no more, and has a header, a type and a tag around it (RFC 8446, section 5.2).
constexpr std::uint64_t record_size = 16384;
constexpr std::uint64_t record_overhead = 5 + 1 + 16;

enum class job : std::uint8_t { get, put, full, resumed };

struct arguments {
    job what = job::get;
    std::uint16_t port = 0;
    std::string path = "/";
    std::string suite = "TLS_AES_128_GCM_SHA256";  ///< the only one that is offered
    std::size_t clients = 1;
    std::uint64_t size = 0;  ///< of the file, or of each upload
    double seconds = 2;      ///< for handshakes
    pid_t server = 0;
};

[[noreturn]] void fail_in_tls(const std::string& what) {
    load::fail(what + ": " + sluice::tls::take_reason());
}

/// OpenSSL calls it for each ticket of the server; keeps it where the connection says.
int on_ticket(SSL* ssl, SSL_SESSION* ticket) {
    auto* const kept = static_cast<ticket_ptr*>(SSL_get_ex_data(ssl, 0));
    if (kept == nullptr) return 0;
    kept->reset(ticket);
    return 1;
}

/// Certificates are not verified.
sluice::tls::ssl_context_ptr make_context(const arguments& a) {
    sluice::tls::ssl_context_ptr made{SSL_CTX_new(TLS_client_method())};
    if (made == nullptr || SSL_CTX_set_min_proto_version(made.get(), TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(made.get(), a.suite.c_str()) != 1) {
        fail_in_tls("TLS 1.3 with " + a.suite + " cannot be set up");
    }
    SSL_CTX_set_session_cache_mode(made.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(made.get(), &on_ticket);
    return made;
}

/// A connection after its handshake.
struct connection {
    sluice::unique_fd socket;
    sluice::tls::ssl_ptr ssl;
};

/// Resumes the session of `ticket`, and fails if the server does not; with none it begins a new
/// one.
connection open_connection(const arguments& a, SSL_CTX& with, std::size_t index,
                           SSL_SESSION* ticket = nullptr) {
    connection made{.socket = load::connect_to(a.port, index),
                    .ssl = sluice::tls::ssl_ptr{SSL_new(&with)}};
    for (const int direction : {SO_RCVTIMEO, SO_SNDTIMEO}) {
        setsockopt(made.socket.get(), SOL_SOCKET, direction, &longest_wait, sizeof longest_wait);
    }
    SSL* const ssl = made.ssl.get();
    if (ssl == nullptr || SSL_set_fd(ssl, made.socket.get()) != 1 ||
        (ticket != nullptr && SSL_set_session(ssl, ticket) != 1)) {
        fail_in_tls("no memory for a connection");
    }
    if (SSL_connect(ssl) != 1) fail_in_tls("no handshake");
    if (ticket != nullptr && SSL_session_reused(ssl) != 1) {
        load::fail("the server did not resume the session");
    }
    return made;
}

/// Returns when the server has closed the connection, too, so that its work for it is done.
void close_connection(const connection& with) {
    if (SSL_shutdown(with.ssl.get()) < 0) fail_in_tls("no close_notify");
    ::shutdown(with.socket.get(), SHUT_WR);
    static_cast<void>(load::drop_to_end(with.socket.get()));
}

void write_all(const connection& to, std::span<const std::byte> data) {
    std::size_t written = 0;
    if (SSL_write_ex(to.ssl.get(), data.data(), data.size(), &written) != 1) {
        fail_in_tls("the server took no more");
    }
}

void write_text(const connection& to, std::string_view text) {
    write_all(to, std::as_bytes(std::span{text}));
}

/// Nothing is decrypted, so that the client costs little: a reply that is shorter than the file, as
/// that of an error is, makes itself known by its size.
std::uint64_t get(const arguments& a, SSL_CTX& with, std::size_t number) {
    const auto server = open_connection(a, with, number);
    write_text(server, "GET " + a.path + " HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    const auto least = a.size + a.size / record_size * record_overhead;
    if (load::drop_to_end(server.socket.get()) < least) {
        load::fail("the server sent less than the file");
    }
    return a.size;
}

void expect_stored(const connection& with) {
    std::string head;
    while (head.find("\r\n") == std::string::npos) {
        std::array<char, 8192> buffer{};
        std::size_t got = 0;
        if (SSL_read_ex(with.ssl.get(), buffer.data(), buffer.size(), &got) != 1) {
            fail_in_tls("the server went away before it answered");
        }
        head.append(buffer.data(), got);
    }
    if (!head.starts_with("HTTP/1.1 201 ") && !head.starts_with("HTTP/1.1 204 ")) {
        load::fail("the server answered " + head.substr(0, head.find('\r')));
    }
}

std::uint64_t put(const arguments& a, SSL_CTX& with, std::span<const std::uint32_t> source,
                  std::size_t number) {
    const auto server = open_connection(a, with, number);
    write_text(server, "PUT " + a.path + std::to_string(number) +
                           " HTTP/1.1\r\nHost: here\r\nContent-Length: " + std::to_string(a.size) +
                           "\r\n\r\n");
    const auto bytes = std::as_bytes(source);
    for (std::uint64_t sent = 0; sent < a.size;) {
        const auto piece = bytes.first(std::min<std::uint64_t>(a.size - sent, bytes.size()));
        write_all(server, piece);
        sent += piece.size();
    }
    expect_stored(server);
    close_connection(server);
    return a.size;
}

/// A connection that is closed after the handshake, and the next ticket if sessions are resumed.
/// The server sends tickets when the handshake is complete, so that the client must read once for
/// one.
ticket_ptr handshake(const arguments& a, SSL_CTX& with, std::size_t index,
                     const ticket_ptr& ticket) {
    const auto server = open_connection(a, with, index, ticket.get());
    ticket_ptr next;
    if (a.what == job::resumed) {
        SSL* const ssl = server.ssl.get();
        // It returns after a ticket, though no data follow.
        SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
        SSL_set_ex_data(ssl, 0, &next);
        char unused = 0;
        if (SSL_read(ssl, &unused, 1) > 0) load::fail("the server spoke before it was asked");
        SSL_set_ex_data(ssl, 0, nullptr);
        if (next == nullptr) fail_in_tls("the server gave no ticket");
    }
    close_connection(server);
    return next;
}

load::outcome move_all(const arguments& a, SSL_CTX& with) {
    const auto source = load::make_source();
    const auto bytes = load::sum_of_clients(a.clients, [&](std::size_t number) {
        return a.what == job::get ? get(a, with, number) : put(a, with, source, number);
    });
    return {.bytes = bytes, .answers = a.clients};
}

/// `tickets` has one for each client, empty for full handshakes.
load::outcome make_handshakes(const arguments& a, SSL_CTX& with, std::span<ticket_ptr> tickets) {
    const auto end = load::clock_type::now() + load::seconds{a.seconds};
    const auto made = load::sum_of_clients(a.clients, [&](std::size_t number) {
        std::uint64_t count = 0;
        for (auto index = number; load::clock_type::now() < end; index += a.clients) {
            tickets[number] = handshake(a, with, index, tickets[number]);
            ++count;
        }
        return count;
    });
    return {.bytes = 0, .answers = made};
}

}  // namespace

int main(int argc, char** argv) {
    arguments a;
    CLI::App app{"Moves files and makes handshakes over TLS 1.3, and measures how fast.",
                 "tls_load"};
    load::add_jobs<job>(
        app, a.what,
        {{job::get, "get", "each client downloads PATH, which has SIZE bytes, by HTTP"},
         {job::put, "put", "each client uploads SIZE bytes to PATH0, PATH1 ... by HTTP"},
         {job::full, "full",
          "each client makes one full handshake after another, for so many seconds"},
         {job::resumed, "resumed",
          "the same, each but the first with the ticket of the one before"}});
    load::add_port(app, a.port);
    app.add_option("--path", a.path, "of the file, or what their paths begin with");
    app.add_option("--suite", a.suite, "the only one that is offered");
    load::add_number(app, "--clients", a.clients, 1, 10'000, "at a time");
    load::add_number(app, "--size", a.size, 1, largest, "bytes of the file, or of each upload");
    load::add_seconds(app, "--seconds", a.seconds, "for handshakes");
    load::add_server(app, a.server);
    CLI11_PARSE(app, argc, argv);
    // OpenSSL writes without MSG_NOSIGNAL.
    std::signal(SIGPIPE, SIG_IGN);
    const auto context = make_context(a);
    if (a.what == job::get || a.what == job::put) {
        load::measure(a.server, [&] { return move_all(a, *context); });
        return 0;
    }
    std::vector<ticket_ptr> tickets(a.clients);
    if (a.what == job::resumed) {
        for (auto& each : tickets) each = handshake(a, *context, 0, nullptr);
    }
    load::measure(a.server, [&] { return make_handshakes(a, *context, tickets); });
}
