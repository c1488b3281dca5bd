// Implements the shared parts of the copy, download and upload plans: samples, sizes, warm files.
#include "sluice/lab/plans/bytes.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/transfer/page_cache.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

constexpr double gibibyte = 1024.0 * 1024 * 1024;

}  // namespace

sample sample_of_bytes(measured_run run, double copies_per_byte) {
    sample s;
    const auto& seen = run.seen;
    s.quantities.push_back({.name = "rate",
                            .unit = "B/s",
                            .which = better::higher,
                            .value = seen.seconds > 0 ? seen.amount / seen.seconds : 0});
    add_costs(s, seen, "GiB", gibibyte);
    if (seen.amount > 0) {
        s.quantities.push_back({.name = "CPU copies",
                                .unit = "B/GiB",
                                .which = better::lower,
                                .value = copies_per_byte * gibibyte});
    }
    s.errors = seen.errors;
    s.run_queue_wait = run.run_queue_wait;
    s.server_command = std::move(run.server_command);
    s.load_command = std::move(run.load_command);
    return s;
}

std::string size_in_words(std::uint64_t bytes) {
    constexpr std::uint64_t step = 1024;
    std::uint64_t number = bytes;
    const char* unit = "B";
    for (const char* larger : {"KiB", "MiB", "GiB", "TiB"}) {
        if (number < step || number % step != 0) break;
        number /= step;
        unit = larger;
    }
    return fmt::format("{} {}", number, unit);
}

std::string clients_in_words(std::uint64_t clients) {
    return fmt::format("{} client{}", clients, clients == 1 ? "" : "s");
}

std::vector<std::uint64_t> clients_of(const testbed& bed) {
    if (!bed.asked.clients.empty()) return bed.asked.clients;
    if (bed.asked.how == run_length::full) return {1, 2, 4, 8, 16, 64};
    return {1, 8};
}

std::uint64_t share_of(std::uint64_t size, std::uint64_t clients) noexcept {
    constexpr std::uint64_t least = std::uint64_t{1} << 20;
    return std::max(std::min(size, least), size / clients);
}

std::vector<std::string> one_shard_for(std::string_view strategy) {
    const bool needs_uring = strategy.starts_with("uring");
    return {"--model", "event", "--engine", needs_uring ? "uring" : "epoll", "--workers", "1"};
}

std::string why_no_space(const testbed& bed, std::uint64_t bytes) {
    constexpr std::uint64_t spare = std::uint64_t{64} << 20;
    const auto space = bed.files.free_space();
    if (space >= bytes + spare) return {};
    return fmt::format(
        "{} has room for {}, and this needs {} of files: give less with --size, or another place "
        "with --directory",
        wire::printable(bed.asked.directory), size_in_words(space >> 20U << 20U),
        size_in_words(((bytes + spare) >> 20U) << 20U));
}

std::expected<void, std::string> warm(const std::string& path) {
    const unique_fd file{os::sys().openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) {
        return std::unexpected{
            fmt::format("cannot read {}: {}", path, error::system(-file.get()).message())};
    }
    // If memory is short, the kernel drops pages while it reads others.
    constexpr int attempts = 3;
    const auto size = static_cast<std::uint64_t>(os::sys().lseek(file.get(), 0, SEEK_END));
    std::uint64_t cached = 0;
    for (int i = 0; i < attempts; ++i) {
        const auto found = transfer::cached_bytes(file.get());
        if (!found) return {};  // unknown: one read must do
        cached = *found;
        if (cached >= size) return {};
        if (const auto read = transfer::make_warm(file.get()); !read) {
            return std::unexpected{fmt::format("cannot read {}: {}", path, read.error().message())};
        }
    }
    const auto last = transfer::cached_bytes(file.get());
    if (last && *last >= size) return {};
    return std::unexpected{
        fmt::format("only {} of {} bytes stay in the page cache, memory is too short: give less "
                    "with --size",
                    cached, size)};
}

}  // namespace sluice::lab
