// Files and transfers: give FILE [PORT] sends a file to each client, without copying it.
#include <fcntl.h>
#include <sys/stat.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "sluice/server.hpp"

using namespace sluice;

namespace {

coro::task<> give(model::session& client, int file, std::uint64_t size) {
    transfer::byte_counter moved;  // another thread may read how far it is
    const auto sent = co_await transfer::send_file(transfer::to_socket::automatic, client.peer(),
                                                   {.file = file, .length = size}, moved);
    // In order only if all of it went out: a peer takes a reset for what it is.
    if (!sent) client.peer().set_linger_reset();
    std::printf("%" PRIu64 " bytes: %s\n", moved.bytes(),
                sent ? "all" : sent.error().message().c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const unique_fd file{argc > 1 ? ::open(argv[1], O_RDONLY | O_CLOEXEC) : -1};
    struct stat found{};
    if (!file || ::fstat(file.get(), &found) < 0 || !S_ISREG(found.st_mode)) {
        std::fprintf(stderr, "usage: give FILE [PORT]; FILE is a regular file\n");
        return EXIT_FAILURE;
    }
    const auto size = static_cast<std::uint64_t>(found.st_size);
    const auto ended =
        model::serve(argc > 2 ? argv[2] : "7002", model::kind::event,
                     [&](model::session& client) { return give(client, file.get(), size); });
    if (!ended) std::fprintf(stderr, "give: %s\n", ended.error().message().c_str());
    return ended ? EXIT_SUCCESS : EXIT_FAILURE;
}
