// Implements lab::testbed: runs a server and its load as pinned child processes.
#include "sluice/lab/testbed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "sluice/lab/child.hpp"

namespace sluice::lab {
namespace {

constexpr auto start_timeout = std::chrono::seconds{20};
constexpr auto load_timeout = std::chrono::minutes{10};
constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

std::vector<std::string> with_address(std::vector<std::string> words, const std::string& address) {
    std::ranges::replace(words, std::string{address_word}, address);
    return words;
}

bool share_cores(const std::vector<int>& one, const std::vector<int>& other) {
    return std::ranges::any_of(one, [&](int core) { return std::ranges::count(other, core) > 0; });
}

double share_of_run_queue_wait(const outcome& seen) {
    const double waited = std::max(seen.load.waited, seen.server ? seen.server->waited : 0.0);
    return seen.seconds > 0 ? waited / seen.seconds : 0;
}

std::expected<outcome, std::string> await_outcome(child& load, int stop) {
    auto output = load.await_output(stop, load_timeout);
    if (!output) return std::unexpected{std::move(output.error())};
    auto seen = read_outcome(*output);
    if (!seen) return std::unexpected{std::string{"the load said what nobody understands"}};
    return std::move(*seen);
}

}  // namespace

/// A shell command that works outside the workspace: it first creates the files that the workspace
/// had.
std::string testbed::command_of(std::vector<std::string> words,
                                const std::vector<int>& on_cores) const {
    constexpr std::string_view file = "file-";
    std::string before;
    for (auto& word : words) {
        if (!word.starts_with(files.path() + '/')) continue;
        const auto name = word.substr(files.path().size() + 1);
        word = "sluice-lab-" + name;
        if (name.starts_with(file)) {
            before += fmt::format("[ -e {0} ] || head -c {1} /dev/urandom > {0}; ", word,
                                  name.substr(file.size()));
        } else if (name == copied_name) {
            before += fmt::format("rm -f {}; ", word);
        } else {
            before += fmt::format("mkdir -p {}; ", word);
        }
    }
    return fmt::format("{}taskset -c {} sluice {}", before, to_text(on_cores), shell_words(words));
}

std::expected<measured_run, std::string> testbed::serve(std::vector<std::string> server,
                                                        const std::vector<int>& server_cores,
                                                        std::vector<std::string> load,
                                                        const std::vector<int>& load_cores) const {
    auto server_process = child::start(
        {.words = with_address(server, "127.0.0.1:0"), .cores = server_cores, .counted = true});
    if (!server_process) return std::unexpected{std::move(server_process.error())};
    const auto address = server_process->await_address(stop.fd(), start_timeout);
    if (!address) return std::unexpected{address.error()};
    load = with_address(std::move(load), *address);
    measured_run found{
        .seen = {},
        .server_command = command_of(with_address(std::move(server), *address), server_cores),
        .load_command = command_of(load, load_cores)};
    const auto watch = server_process->watch();
    load.emplace_back("--watch");
    load.push_back(fmt::format("{},{},{}", watch.process, watch.switches, watch.calls));
    auto load_process = child::start({.words = std::move(load),
                                      .cores = load_cores,
                                      .inherited = watch.switches,
                                      .also_inherited = watch.calls});
    if (!load_process) return std::unexpected{std::move(load_process.error())};
    auto seen = await_outcome(*load_process, stop.fd());
    if (!seen) return std::unexpected{std::move(seen.error())};
    found.seen = std::move(*seen);
    if (!share_cores(server_cores, load_cores))
        found.run_queue_wait = share_of_run_queue_wait(found.seen);
    return found;
}

std::expected<measured_run, std::string> testbed::alone(const std::vector<std::string>& load,
                                                        const std::vector<int>& on_cores) const {
    auto load_process = child::start({.words = load, .cores = on_cores});
    if (!load_process) return std::unexpected{std::move(load_process.error())};
    auto seen = await_outcome(*load_process, stop.fd());
    if (!seen) return std::unexpected{std::move(seen.error())};
    return measured_run{
        .seen = std::move(*seen), .server_command = {}, .load_command = command_of(load, on_cores)};
}

double testbed::seconds() const noexcept {
    if (asked.seconds) return *asked.seconds;
    switch (asked.how) {
        case run_length::quick: return 0.15;
        case run_length::normal: return 0.4;
        case run_length::full: return 2;
    }
    return 0.4;
}

double testbed::warmup() const noexcept {
    constexpr double longest = 0.3;
    return std::min(longest, seconds() / 2);
}

std::vector<std::string> testbed::timing() const {
    std::vector<std::string> words{"--seconds", fmt::format("{}", seconds()), "--warmup",
                                   fmt::format("{}", warmup())};
    if (cores.one_only) words.emplace_back("--sleep");
    return words;
}

std::uint64_t testbed::file_size(const sizes& usual) const noexcept {
    if (asked.size) return *asked.size;
    std::uint64_t wanted = asked.how == run_length::quick ? usual.quick : usual.normal;
    if (asked.how == run_length::full) wanted = std::min(4 * wanted, 1024 * mebibyte);
    // Source, copy and prefaulted memory must fit into the available memory.
    return std::clamp(available_memory() / 4 / mebibyte * mebibyte, 16 * mebibyte, wanted);
}

}  // namespace sluice::lab
