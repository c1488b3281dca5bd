// Implements prefaulted_memory: faults in huge pages with MADV_POPULATE_WRITE and releases them.
#include "sluice/lab/prefaulted_memory.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <span>

#include "sluice/io/timer.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::lab {
namespace {

constexpr std::size_t page_size = 4096;
constexpr std::size_t huge_page = std::size_t{2} << 20;

}  // namespace

std::uint64_t available_memory() {
    std::ifstream file{"/proc/meminfo"};
    for (std::string name; file >> name;) {
        std::uint64_t kibibytes = 0;
        file >> kibibytes;
        if (name == "MemAvailable:") return kibibytes * 1024;
        std::getline(file, name);
    }
    return 0;
}

std::uint64_t prefaulted_memory::touch(std::uint64_t bytes) {
    bytes = std::min(times * bytes, available_memory() / 4 * 3) / huge_page * huge_page;
    if (bytes == 0) return 0;
    auto memory = mapping::create(bytes);
    if (!memory) return 0;
    // Huge pages only: small pages come from remainders of large blocks, and the host would keep
    // its large blocks.
    os::kernel& sys = os::sys();
    sys.madvise(memory->data(), bytes, MADV_HUGEPAGE);
    const auto begun = io::clock::now();
    const std::span all{static_cast<std::byte*>(memory->data()), bytes};
    if (sys.madvise(memory->data(), bytes, MADV_POPULATE_WRITE) < 0) {
        for (std::size_t at = 0; at < bytes; at += page_size) all[at] = std::byte{1};
    }
    const double seconds = std::chrono::duration<double>(io::clock::now() - begun).count();
    if (seconds > 0) rates_.push_back(static_cast<double>(bytes) / seconds);
    return bytes;
}

std::string prefaulted_memory::warning() const {
    return warning_of_touching(rates_);
}

std::string warning_of_touching(std::vector<double> rates) {
    // The time to zero a page varies by half; a page that the host has to find takes seven times as
    // long.
    constexpr double slow_factor = 3;
    constexpr std::size_t fewest = 3;
    if (rates.size() < fewest) return {};
    std::ranges::sort(rates);
    const double best = rates.back();
    const auto slow =
        std::ranges::count_if(rates, [&](double r) { return r * slow_factor < best; });
    if (slow == 0) return {};
    return fmt::format(
        "Before {} of {} samples free memory had to be taken back from somewhere else first, up to "
        "{:.1f} times as slowly as at best: a virtual machine had given it to its host, or it was "
        "full of other things. It was touched before what is measured, so the figures are free of "
        "it.",
        slow, rates.size(), best / rates.front());
}

}  // namespace sluice::lab
