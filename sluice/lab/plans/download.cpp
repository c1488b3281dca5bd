// The download plan: every strategy from a file in the page cache to a socket.
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "sluice/lab/plans/bytes.hpp"
#include "sluice/lab/plans/cpu_copies.hpp"
#include "sluice/transfer/to_socket.hpp"

namespace sluice::lab {
namespace {

constexpr sizes download_sizes{.quick = std::uint64_t{512} << 20, .normal = std::uint64_t{1} << 30};

using transfer::to_socket;

std::expected<sample, std::string> take(const testbed& bed, std::string_view strategy,
                                        double copies, std::uint64_t clients,
                                        const std::string& path, std::uint64_t size) {
    if (auto ready = warm(path); !ready) return std::unexpected{std::move(ready.error())};
    std::vector<std::string> server{
        "files",  "offer", path, "--listen", address_word, "--strategy", std::string{strategy},
        "--quiet"};
    for (auto& word : one_shard_for(strategy)) server.push_back(std::move(word));
    std::vector<std::string> load{"lab",       "load",
                                  "download",  address_word,
                                  "--clients", std::to_string(clients),
                                  "--size",    std::to_string(size)};
    auto run = bed.serve(std::move(server), {bed.cores.server}, std::move(load), {bed.cores.load});
    if (!run) return std::unexpected{std::move(run.error())};
    return sample_of_bytes(std::move(*run), copies);
}

}  // namespace

std::expected<std::vector<planned_case>, std::string> download_plan(testbed& bed) {
    const auto size = bed.file_size(download_sizes);
    if (auto why = why_no_space(bed, 2 * size); !why.empty())
        return std::unexpected{std::move(why)};
    std::vector<planned_case> cases;
    for (const auto clients : clients_of(bed)) {
        const auto many = clients_in_words(clients);
        const auto each = share_of(size, clients);
        auto path = bed.files.file_of(each);
        if (!path) return std::unexpected{std::move(path.error())};
        planned_case made{
            .about =
                describe("download", many,
                         fmt::format("Which way gets {} out of the page cache to {} the fastest?",
                                     size_in_words(each), clients == 1 ? many : "each of " + many),
                         point{.line = size_in_words(size) + " in all",
                               .axis = "clients",
                               .x = static_cast<double>(clients)}),
            .variants = {},
            // With one client sendfile with and without cork differ by a tenth.
            .rounds_a_turn = 3};
        for (const auto& [name, how] : transfer::to_socket_names) {
            if (how == to_socket::automatic) continue;
            const auto copies = copies_of(how);
            made.variants.push_back(
                {.name = std::string{name},
                 .footnotes = {std::string{copies.in_words}},
                 .take = [&bed, name, per_byte = copies.a_byte, clients, at = *path, each] {
                     return take(bed, name, per_byte, clients, at, each);
                 }});
        }
        cases.push_back(std::move(made));
    }
    return cases;
}

}  // namespace sluice::lab
