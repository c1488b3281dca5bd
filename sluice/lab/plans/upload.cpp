// Uploads: every way from a socket into a new file.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/base/fd.hpp"
#include "sluice/lab/plans/bytes.hpp"
#include "sluice/lab/plans/cpu_copies.hpp"
#include "sluice/transfer/to_file.hpp"

namespace sluice::lab {
namespace {

constexpr sizes upload_sizes{.quick = std::uint64_t{128} << 20, .normal = std::uint64_t{256} << 20};

using transfer::to_file;

/// What the last sample has left is gone from memory and disk, and memory is there for what comes.
std::expected<std::string, std::string> make_room(rig& where, std::uint64_t bytes) {
    auto directory = where.files.empty_directory("received");
    if (!directory) return directory;
    const unique_fd place{::open(directory->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (place) ::syncfs(place.get());
    where.memory.touch(bytes);
    return directory;
}

std::expected<sample, std::string> take(rig& where, std::string_view strategy, double copies,
                                        std::uint64_t clients, std::uint64_t size) {
    auto directory = make_room(where, clients * size);
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
    auto run =
        where.serve(std::move(server), {where.cores.server}, std::move(load), {where.cores.load});
    // The kernel would write it to the disk while something else is measured.
    if (auto gone = where.files.empty_directory("received"); !gone) {
        return std::unexpected{std::move(gone.error())};
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

std::expected<std::vector<planned_case>, std::string> upload_plan(rig& where) {
    const auto size = where.file_size(upload_sizes);
    const auto numbers = clients_of(where);
    const auto most = *std::ranges::max_element(numbers);
    if (auto why = why_no_room(where, most * share_of(size, most)); !why.empty()) {
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
                                     .remarks = {std::string{copies.in_words}},
                                     .take = [&where, name, often = copies.a_byte, clients, each] {
                                         return take(where, name, often, clients, each);
                                     }});
        }
        cases.push_back(std::move(made));
    }
    return cases;
}

}  // namespace sluice::lab
