// What one core computes by itself, without clients: fib_loop N SECONDS.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "sluice/compute/server/handler.hpp"

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s N SECONDS\n", argv[0]);
        return 2;
    }
    using clock = std::chrono::steady_clock;
    const auto number = static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10));
    const std::chrono::duration<double> wanted{std::strtod(argv[2], nullptr)};
    const auto begun = clock::now();
    unsigned long computed = 0;
    unsigned long sum = 0;
    std::chrono::duration<double> elapsed{};
    while (elapsed < wanted) {
        sum += sluice::compute::fib(number);
        ++computed;
        elapsed = clock::now() - begun;
    }
    const double cpu = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    std::printf("{\"computed\": %lu, \"rate\": %.3f, \"cpu_seconds\": %.6f, \"sum\": %lu}\n",
                computed, static_cast<double>(computed) / elapsed.count(), cpu, sum);
}
