// Task 4: stores what clients send, one after another, or in a process for each.
//
//     upload_server FOLDER [PORT] [sync|fork|thread|pool|event]        nc -N HOST PORT < FILE
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sluice/server.hpp"

using namespace sluice;

namespace {

/// One client's stream becomes one file, whose name appears when all of it has come.
coro::task<> store(model::session& client, std::string folder) {
    auto hidden = folder + "/.upload-XXXXXX";
    const unique_fd file{::mkostemp(hidden.data(), O_CLOEXEC)};
    const auto name = folder + '/' + hidden.substr(folder.size() + 2);
    if (!file) {
        std::fprintf(stderr, "%s: %s\n", hidden.c_str(), error::system(errno).message().c_str());
        client.peer().set_linger_reset();
        co_return;
    }
    transfer::byte_counter moved;
    const auto stored = co_await transfer::receive_file(transfer::to_file::automatic, client.peer(),
                                                        {.file = file.get()}, moved);
    const bool kept =
        stored && ::fsync(file.get()) == 0 && ::rename(hidden.c_str(), name.c_str()) == 0;
    if (!kept) {
        ::unlink(hidden.c_str());
        client.peer().set_linger_reset();  // closed in order, it would look kept
    }
    std::printf("%s: %" PRIu64 " bytes %s\n", name.c_str(), moved.bytes(), kept ? "kept" : "lost");
    std::fflush(stdout);
}

model::kind kind_named(std::string_view name) {
    for (const auto each : {model::kind::sync, model::kind::fork, model::kind::thread,
                            model::kind::pool, model::kind::event}) {
        if (model::to_text(each) == name) return each;
    }
    return model::kind::sync;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: upload_server FOLDER [PORT] [MODEL]\n");
        return 2;
    }
    const std::string folder{argv[1]};
    ::mkdir(folder.c_str(), 0777);
    const auto ended =
        model::serve(argc > 2 ? argv[2] : "5001", kind_named(argc > 3 ? argv[3] : "sync"),
                     [&folder](model::session& client) { return store(client, folder); });
    if (!ended) std::fprintf(stderr, "upload_server: %s\n", ended.error().message().c_str());
    return ended ? 0 : 1;
}
