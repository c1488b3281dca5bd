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

constexpr std::size_t page = 4096;

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

void touched_memory::touch(std::uint64_t bytes) {
    bytes = std::min(bytes, available_memory() / 4 * 3) / page * page;
    if (bytes == 0) return;
    auto memory = mapping::create(bytes);
    if (!memory) return;
    // Small pages, as the page cache takes them.
    ::madvise(memory->data(), bytes, MADV_NOHUGEPAGE);
    const auto begun = std::chrono::steady_clock::now();
    const std::span all{static_cast<std::byte*>(memory->data()), bytes};
    if (::madvise(memory->data(), bytes, MADV_POPULATE_WRITE) != 0) {
        for (std::size_t at = 0; at < bytes; at += page) all[at] = std::byte{1};
    }
    const double took =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    if (took > 0) rates_.push_back(static_cast<double>(bytes) / took);
}

std::string touched_memory::verdict() const {
    constexpr double much = 2;
    if (rates_.size() < 3) return {};
    auto sorted = rates_;
    std::ranges::sort(sorted);
    const double usual = sorted[sorted.size() / 2];
    const auto slow = std::ranges::count_if(sorted, [&](double r) { return r * much < usual; });
    if (slow == 0) return {};
    return fmt::format(
        "In {} of {} rounds free memory had to be taken back from somewhere else first, up to "
        "{:.1f} "
        "times as slowly as usual: a virtual machine had given it to its host, or it was full of "
        "other things. It was touched before what is measured, so the figures are free of it.",
        slow, sorted.size(), usual / sorted.front());
}

}  // namespace sluice::lab
