// Maps, writes, unmaps.
#include "sluice/lab/touched_memory.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <span>

#include "sluice/base/mapping.hpp"

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

std::uint64_t touched_memory::touch(std::uint64_t bytes) {
    bytes = std::min(times * bytes, available_memory() / 4 * 3) / huge_page * huge_page;
    if (bytes == 0) return 0;
    auto memory = mapping::create(bytes);
    if (!memory) return 0;
    // Small pages come from what is left over of large pieces, and the host keeps its large ones.
    ::madvise(memory->data(), bytes, MADV_HUGEPAGE);
    const auto begun = std::chrono::steady_clock::now();
    const std::span all{static_cast<std::byte*>(memory->data()), bytes};
    if (::madvise(memory->data(), bytes, MADV_POPULATE_WRITE) != 0) {
        for (std::size_t at = 0; at < bytes; at += page_size) all[at] = std::byte{1};
    }
    const double took =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    if (took > 0) rates_.push_back(static_cast<double>(bytes) / took);
    return bytes;
}

std::string touched_memory::verdict() const {
    return verdict_of_touching(rates_);
}

std::string verdict_of_touching(std::vector<double> rates) {
    // Zeroing varies by a half; a page that the host has to find takes seven times as long.
    constexpr double much = 3;
    constexpr std::size_t fewest = 3;
    if (rates.size() < fewest) return {};
    std::ranges::sort(rates);
    const double best = rates.back();
    const auto slow = std::ranges::count_if(rates, [&](double r) { return r * much < best; });
    if (slow == 0) return {};
    return fmt::format(
        "Before {} of {} samples free memory had to be taken back from somewhere else first, up to "
        "{:.1f} times as slowly as at best: a virtual machine had given it to its host, or it was "
        "full of other things. It was touched before what is measured, so the figures are free of "
        "it.",
        slow, rates.size(), best / rates.front());
}

}  // namespace sluice::lab
