// Task 6: the same copy with a cold and with a warm page cache.
//
//     copy_file FROM TO
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "sluice/io.hpp"

using namespace sluice;

namespace {

using seconds = std::chrono::duration<double>;

/// Bytes per second; an error of the copy.
result<double> copy(io::engine& engine, const char* from, const char* to) {
    const unique_fd source{::open(from, O_RDONLY | O_CLOEXEC)};
    const unique_fd target{::open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
    struct stat found{};
    if (!source || !target || ::fstat(source.get(), &found) < 0) return failure_of(errno);
    const auto size = static_cast<std::uint64_t>(found.st_size);
    transfer::byte_counter moved;
    const auto begun = std::chrono::steady_clock::now();
    const auto copied = io::run(
        engine,
        transfer::copy_file(transfer::copy::read_write, engine,
                            {.from = source.get(), .to = target.get(), .offset = 0, .length = size},
                            moved));
    if (!copied) return failure(copied.error());
    const seconds took = std::chrono::steady_clock::now() - begun;
    return static_cast<double>(size) / took.count();
}

/// The pages of a file leave the cache, if they are clean (posix_fadvise(2)).
void make_cold(const char* path) {
    const unique_fd file{::open(path, O_RDONLY | O_CLOEXEC)};
    if (!file) return;
    ::fsync(file.get());
    ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: copy_file FROM TO\n");
        return 2;
    }
    auto engine = io::make_engine(io::engine_kind::blocking);
    if (!engine) return 1;
    for (const char* state : {"cold", "warm", "warm"}) {
        if (state[0] == 'c') make_cold(argv[1]);
        const auto rate = copy(**engine, argv[1], argv[2]);
        if (!rate) {
            std::fprintf(stderr, "copy_file: %s\n", rate.error().message().c_str());
            return 1;
        }
        std::printf("%s: %.0f MB/s\n", state, *rate / 1e6);
    }
}
