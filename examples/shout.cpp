// A function as a network service: shout [PORT] answers every line in capitals, under any model.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sluice/compute/server/compute.hpp"
#include "sluice/model/serve.hpp"

using namespace sluice;

namespace {

std::string shout(std::string_view line) {
    std::string loud{line};
    std::ranges::transform(loud, loud.begin(), [](unsigned char c) { return std::toupper(c); });
    return loud;
}

}  // namespace

int main(int argc, char** argv) {
    const auto ended =
        model::serve(argc > 1 ? argv[1] : "7001", model::kind::event, compute::make_service(shout));
    if (!ended) std::fprintf(stderr, "shout: %s\n", ended.error().message().c_str());
    return ended ? EXIT_SUCCESS : EXIT_FAILURE;
}
