// Runs a fuzz target once over every file of the folders it is given.
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/input.hpp"

namespace {

// Not a string, whose memory may be larger than its text: a look beyond its end is to be seen.
std::vector<char> contents(const std::filesystem::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t inputs = 0;
    for (int i = 1; i < argc; ++i) {
        std::error_code missing;
        for (const auto& entry : std::filesystem::recursive_directory_iterator{argv[i], missing}) {
            if (!entry.is_regular_file()) continue;
            // Said before the run, so that a crash names the input that did it.
            std::printf("%s\n", entry.path().c_str());
            std::fflush(stdout);
            const auto input = contents(entry.path());
            sluice::fuzz::examine({input.data(), input.size()});
            ++inputs;
        }
    }
    std::printf("%zu inputs replayed\n", inputs);
    if (inputs == 0) {
        std::fprintf(stderr, "%s: no inputs; give it folders that hold a seed corpus\n", argv[0]);
        return 1;
    }
    return 0;
}
