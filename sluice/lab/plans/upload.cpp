// The upload plan: every strategy from a socket into a new file.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/lab/plans/bytes.hpp"
#include "sluice/lab/plans/cpu_copies.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/transfer/to_file.hpp"

namespace sluice::lab {
namespace {

constexpr sizes upload_sizes{.quick = std::uint64_t{128} << 20, .normal = std::uint64_t{256} << 20};

using transfer::to_file;

/// Removes the files of the last sample from memory and disk, and prefaults memory for the next.
std::expected<std::string, std::string> prepare_directory(testbed& bed, std::uint64_t bytes) {
    auto directory = bed.files.empty_directory("received");
    if (!directory) return directory;
    const unique_fd file_system{
        os::sys().openat(AT_FDCWD, directory->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (file_system) os::sys().syncfs(file_system.get());
    bed.memory.touch(bytes);
    return directory;
}

std::expected<sample, std::string> take(testbed& bed, std::string_view strategy, double copies,
                                        std::uint64_t clients, std::uint64_t size) {
    auto directory = prepare_directory(bed, clients * size);
    if (!directory) return std::unexpected{std::move(directory.error())};
    std::vector<std::string> server{"files",
                                    "serve",
                                    *directory,
                                    "--raw",
                                    address_word,
                                    "--strategy",
                                    std::string{strategy},
                                    "--no-sync",
                                    "--quiet"};
    for (auto& word : one_shard_for(strategy)) server.push_back(std::move(word));
    std::vector<std::string> load{"lab",       "load",
                                  "upload",    address_word,
                                  "--clients", std::to_string(clients),
                                  "--size",    std::to_string(size)};
    auto run = bed.serve(std::move(server), {bed.cores.server}, std::move(load), {bed.cores.load});
    // Otherwise the kernel writes the files to disk during the next sample.
    if (auto removed = bed.files.empty_directory("received"); !removed) {
        return std::unexpected{std::move(removed.error())};
    }
    if (!run) return std::unexpected{std::move(run.error())};
    const double whole = run->seen.whole_seconds;
    auto s = sample_of_bytes(std::move(*run), copies);
    if (whole > 0) {
        s.quantities.push_back(
            {.name = "until all is stored", .unit = "s", .which = better::lower, .value = whole});
    }
    return s;
}

}  // namespace

std::expected<std::vector<planned_case>, std::string> upload_plan(testbed& bed) {
    const auto size = bed.file_size(upload_sizes);
    const auto numbers = clients_of(bed);
    const auto most = *std::ranges::max_element(numbers);
    if (auto why = why_no_space(bed, most * share_of(size, most)); !why.empty()) {
        return std::unexpected{std::move(why)};
    }
    std::vector<planned_case> cases;
    for (const auto clients : numbers) {
        const auto many = clients_in_words(clients);
        const auto each = share_of(size, clients);
        planned_case made{
            .about = describe(
                "upload", many,
                fmt::format("Which way gets {} from {} into {} the fastest? (The page cache takes "
                            "it; the disk comes later.)",
                            size_in_words(each), clients == 1 ? "a client" : "each of " + many,
                            clients == 1 ? "a new file" : "new files"),
                point{.line = size_in_words(size) + " in all",
                      .axis = "clients",
                      .x = static_cast<double>(clients)}),
            .variants = {}};
        for (const auto& [name, how] : transfer::to_file_names) {
            if (how == to_file::automatic) continue;
            const auto copies = copies_of(how);
            made.variants.push_back({.name = std::string{name},
                                     .footnotes = {std::string{copies.in_words}},
                                     .take = [&bed, name, per_byte = copies.a_byte, clients, each] {
                                         return take(bed, name, per_byte, clients, each);
                                     }});
        }
        cases.push_back(std::move(made));
    }
    return cases;
}

}  // namespace sluice::lab
