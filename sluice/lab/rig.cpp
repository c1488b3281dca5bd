// Starts, waits, reads, ends.
#include "sluice/lab/rig.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "sluice/lab/child.hpp"

namespace sluice::lab {
namespace {

constexpr auto to_begin = std::chrono::seconds{20};
constexpr auto to_end = std::chrono::minutes{10};
constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

std::vector<std::string> with_address(std::vector<std::string> words, const std::string& address) {
    std::ranges::replace(words, std::string{address_word}, address);
    return words;
}

bool share_cores(const std::vector<int>& one, const std::vector<int>& other) {
    return std::ranges::any_of(one, [&](int core) { return std::ranges::count(other, core) > 0; });
}

double share_kept_off(const outcome& seen) {
    const double waited = std::max(seen.load.waited, seen.server ? seen.server->waited : 0.0);
    return seen.seconds > 0 ? waited / seen.seconds : 0;
}

std::expected<outcome, std::string> await(child& load, int stop) {
    auto said = load.await_output(stop, to_end);
    if (!said) return std::unexpected{std::move(said.error())};
    auto seen = read_outcome(*said);
    if (!seen) return std::unexpected{std::string{"the load said what nobody understands"}};
    return std::move(*seen);
}

}  // namespace

/// As it can be typed anywhere: files of the workspace, which is gone by then, are made before.
std::string rig::command_of(std::vector<std::string> words,
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

std::expected<measured_run, std::string> rig::serve(std::vector<std::string> server,
                                                    const std::vector<int>& server_cores,
                                                    std::vector<std::string> load,
                                                    const std::vector<int>& load_cores) const {
    auto served = child::start(
        {.words = with_address(server, "127.0.0.1:0"), .cores = server_cores, .counted = true});
    if (!served) return std::unexpected{std::move(served.error())};
    const auto address = served->await_address(stop.fd(), to_begin);
    if (!address) return std::unexpected{address.error()};
    load = with_address(std::move(load), *address);
    measured_run found{
        .seen = {},
        .server_command = command_of(with_address(std::move(server), *address), server_cores),
        .load_command = command_of(load, load_cores)};
    const auto watch = served->watch();
    load.emplace_back("--watch");
    load.push_back(fmt::format("{},{},{}", watch.process, watch.switches, watch.calls));
    auto loading = child::start({.words = std::move(load),
                                 .cores = load_cores,
                                 .lent = watch.switches,
                                 .lent_too = watch.calls});
    if (!loading) return std::unexpected{std::move(loading.error())};
    auto seen = await(*loading, stop.fd());
    if (!seen) return std::unexpected{std::move(seen.error())};
    found.seen = std::move(*seen);
    if (!share_cores(server_cores, load_cores)) found.kept_off = share_kept_off(found.seen);
    return found;
}

std::expected<measured_run, std::string> rig::alone(const std::vector<std::string>& load,
                                                    const std::vector<int>& on_cores) const {
    auto loading = child::start({.words = load, .cores = on_cores});
    if (!loading) return std::unexpected{std::move(loading.error())};
    auto seen = await(*loading, stop.fd());
    if (!seen) return std::unexpected{std::move(seen.error())};
    return measured_run{
        .seen = std::move(*seen), .server_command = {}, .load_command = command_of(load, on_cores)};
}

double rig::seconds() const noexcept {
    if (asked.seconds) return *asked.seconds;
    switch (asked.how) {
        case effort::quick: return 0.15;
        case effort::normal: return 0.4;
        case effort::full: return 2;
    }
    return 0.4;
}

double rig::warmup() const noexcept {
    constexpr double longest = 0.3;
    return std::min(longest, seconds() / 2);
}

std::vector<std::string> rig::timing() const {
    std::vector<std::string> words{"--seconds", fmt::format("{}", seconds()), "--warmup",
                                   fmt::format("{}", warmup())};
    if (cores.one_only) words.emplace_back("--sleep");
    return words;
}

std::uint64_t rig::file_size(const sizes& usual) const noexcept {
    if (asked.size) return *asked.size;
    std::uint64_t wanted = asked.how == effort::quick ? usual.quick : usual.normal;
    if (asked.how == effort::full) wanted = std::min(4 * wanted, 1024 * mebibyte);
    // The source, the copy, and what is touched before are to fit.
    return std::clamp(available_memory() / 4 / mebibyte * mebibyte, 16 * mebibyte, wanted);
}

}  // namespace sluice::lab
