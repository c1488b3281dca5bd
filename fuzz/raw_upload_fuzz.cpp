// A stream to the endpoint that keeps each as a file, under any bytes and any split: it is kept
// whole, or not at all where it begins as another protocol does.
#include <dirent.h>
#include <fcntl.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/door.hpp"
#include "sluice/base/check.hpp"
#include "sluice/files/server/raw_service.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/os/cgroup.hpp"
#include "sluice/os/directory_reader.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/wire/protocol_guess.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::raw_upload_target {
namespace {

constexpr const char* directory = "/srv";

std::vector<std::string> names() {
    unique_fd opened{os::sys().openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)};
    worlds::stage::require(static_cast<bool>(opened), "no directory");
    os::directory_reader entries{std::move(opened)};
    std::vector<std::string> all;
    for (;;) {
        const auto next = entries.next();
        worlds::stage::require(next.has_value(), "a directory that cannot be read");
        if (*next == nullptr) return all;
        const std::string name{static_cast<const char*>((*next)->d_name)};
        if (!name.starts_with('.')) all.push_back(name);
    }
}

/// The content of the file that a stream became, if it became one.
std::optional<std::string> keep(bool any, const fuzz::stream& says) {
    std::optional<std::string> file;
    fuzz::play([&](worlds::stage& s) {
        auto& disk = s.kernel().disk();
        static_cast<void>(disk.make_folder(disk.root(), directory, 0755));
        sim::process& server = s.start("server", [&] {
            auto store = files::store::open(directory, {});
            worlds::stage::require(store.has_value(), "no store");
            files::raw_service raw{&*store, {.any = any, .report = [](std::string_view line) {
                                                 check(wire::is_printable(line),
                                                       "a line that a terminal obeys");
                                             }}};
            fuzz::serve(s, {.serve = raw.service()});
        });
        auto client = fuzz::connect();
        check(fuzz::converse(s, client, says).empty(), "an answer where there is none");
        worlds::stop_and_check(s, server, {});
        const auto kept = names();
        check(kept.size() <= 1, "several files of one stream");
        if (!kept.empty()) file = read_small_file(directory + ("/" + kept.front()));
    });
    return file;
}

}  // namespace

/// Bit 3 of the first byte: streams of other protocols are kept, too.
void examine(std::string_view input) {
    const bool any = !input.empty() && (static_cast<unsigned char>(input.front()) & 8U) != 0;
    const auto said = stream::of(input);
    wire::protocol_guess guess;
    guess.feed(said.bytes);
    const bool is_foreign = guess.found() != wire::other_protocol::none;
    const std::string bytes{said.bytes};
    const auto of_pieces = keep(any, said);
    check(!of_pieces || *of_pieces == bytes, "a file of other bytes");
    check(of_pieces || (is_foreign && !any), "a stream that is lost");
    // A browser sends its request at once, and the server judges by what has come with the first
    // byte.
    const auto at_once = keep(any, {.bytes = said.bytes});
    check(at_once.has_value() == (any || !is_foreign), "a request becomes a file");
    check(!at_once || *at_once == bytes, "a file of other bytes");
}

}  // namespace sluice::fuzz::raw_upload_target
