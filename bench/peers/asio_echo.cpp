// An echo with Asio's coroutines, written as Asio's documentation writes it.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <system_error>
#include <utility>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

namespace {

using asio::ip::tcp;

asio::awaitable<void> echo(tcp::socket socket) {
    try {
        socket.set_option(tcp::no_delay{true});
        char data[16 * 1024];
        for (;;) {
            const std::size_t got =
                co_await socket.async_read_some(asio::buffer(data), asio::use_awaitable);
            co_await asio::async_write(socket, asio::buffer(data, got), asio::use_awaitable);
        }
    } catch (const std::system_error& e) {
        if (e.code() == asio::error::eof || e.code() == asio::error::connection_reset) co_return;
        std::fprintf(stderr, "%s\n", e.what());
    }
}

asio::awaitable<void> serve(tcp::acceptor acceptor) {
    const auto executor = co_await asio::this_coro::executor;
    for (;;) {
        tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
        asio::co_spawn(executor, echo(std::move(socket)), asio::detached);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    try {
        asio::io_context context{1};
        const auto port = static_cast<unsigned short>(std::strtoul(argv[1], nullptr, 10));
        tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), port}};
        std::fprintf(stderr, "listening on 127.0.0.1:%u\n", acceptor.local_endpoint().port());
        asio::co_spawn(context, serve(std::move(acceptor)), asio::detached);
        context.run();
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
