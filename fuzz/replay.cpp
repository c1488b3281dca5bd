// Runs a fuzz target once over every file of the folders it is given: replay TARGET FOLDER...
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string_view>
#include <vector>

#include "fuzz/target.hpp"

namespace {

// Not a string, whose memory may be larger than its text: a look beyond its end is to be seen.
std::vector<char> contents(const std::filesystem::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

/// How many inputs lie below `folder`, all of them examined.
std::size_t replay(const sluice::fuzz::target& target, const char* folder) {
    std::size_t inputs = 0;
    std::error_code missing;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{folder, missing}) {
        if (!entry.is_regular_file()) continue;
        // Said before the run, so that a crash names the input that did it.
        std::printf("%s\n", entry.path().c_str());
        std::fflush(stdout);
        const auto input = contents(entry.path());
        target.examine({input.data(), input.size()});
        ++inputs;
    }
    return inputs;
}

}  // namespace

int main(int argc, char** argv) {
    const std::span arguments{argv, static_cast<std::size_t>(argc)};
    const auto all = sluice::fuzz::targets();
    const auto target =
        arguments.size() < 3
            ? all.end()
            : std::ranges::find(all, std::string_view{arguments[1]}, &sluice::fuzz::target::name);
    if (target == all.end()) {
        std::fprintf(stderr, "usage: %s TARGET FOLDER...; the targets are", arguments[0]);
        for (const auto& each : all) std::fprintf(stderr, " %s", each.name.data());
        std::fprintf(stderr, "\n");
        return 2;
    }
    std::size_t inputs = 0;
    for (const char* folder : arguments.subspan(2)) inputs += replay(*target, folder);
    std::printf("%zu inputs replayed\n", inputs);
    if (inputs == 0) {
        std::fprintf(stderr, "%s: no inputs; give it folders that hold a seed corpus\n",
                     arguments[0]);
        return 1;
    }
    return 0;
}
