// Downloads a file under its own name, under another, or to stdout.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/cli/files/client.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/files/client/download.hpp"
#include "sluice/http/url.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/term/console.hpp"

namespace sluice::cli {
namespace {

struct get_settings {
    client_settings common;
    std::string from;
    std::string output;
    transfer::to_file how = transfer::to_file::automatic;
    bool resume = false;
    bool no_sync = false;
};

/// The target of a download.
struct destination {
    std::string name;        ///< "-" is stdout
    bool is_stream = false;  ///< written to, not replaced: stdout, a device
};

std::expected<destination, std::string> choose_destination(const get_settings& s,
                                                           const http::url& from) {
    using mistake = std::unexpected<std::string>;
    if (s.output == "-") return destination{.name = "-", .is_stream = true};
    const bool tcp = from.scheme == http::url_scheme::tcp;
    const auto url_name = tcp ? std::string{} : http::last_name(from.path);
    std::string name = s.output;
    struct stat found{};
    const auto exists = [&] { return os::sys().fstatat(AT_FDCWD, name.c_str(), found, 0) == 0; };
    const bool into_directory =
        !name.empty() && (name.ends_with('/') || (exists() && S_ISDIR(found.st_mode)));
    if (name.empty() || into_directory) {
        if (url_name.empty()) {
            return mistake{tcp ? "a bare stream has no name; say where it goes with -o FILE"
                               : "the URL ends in no name; give that of a file, or say where it "
                                 "goes with -o FILE"};
        }
        if (into_directory && !name.ends_with('/')) name += '/';
        name += url_name;
    }
    const bool is_stream = exists() && !S_ISREG(found.st_mode);
    return destination{.name = name, .is_stream = is_stream};
}

/// Downloads a file and reports the outcome.
class receiver {
 public:
    receiver(const get_settings& s, const http::url& from, destination to,
             progress_display& display)
        : settings_{s}, from_{from}, to_{std::move(to)}, display_{display} {}

    coro::task<exit_status> receive(files::link& link) {
        files::progress progress;
        const auto begun = io::clock::now();
        display_.begin(display_.in_json() || to_.name == "-" ? from_.to_string() : to_.name,
                       progress);
        files::attempt<files::downloaded> done;
        if (to_.is_stream) {
            done = co_await to_stream(link, progress);
        } else {
            done = co_await to_file(link, progress);
        }
        display_.end();
        if (!done) co_return report_error(display_, from_.to_string(), with_advice(done.error()));
        const std::chrono::duration<double> took = io::clock::now() - begun;
        report(*done, took.count());
        co_return exit_status::done;
    }

 private:
    [[nodiscard]] bool http() const noexcept { return from_.scheme == http::url_scheme::http; }

    coro::task<files::attempt<files::downloaded>> to_stream(files::link& link,
                                                            files::progress& progress) {
        unique_fd opened;
        if (to_.name != "-") {
            opened.reset(
                os::sys().openat(AT_FDCWD, to_.name.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
            if (!opened)
                co_return files::of_disk("opening " + in_quotes(to_.name),
                                         error::system(-opened.get()));
        }
        auto into = term::console::open(link.engine(), opened ? opened.get() : STDOUT_FILENO);
        if (!into) co_return files::of_disk("writing to " + in_quotes(to_.name), into.error());
        if (http()) co_return co_await files::get_to(link, from_.target(), **into, progress);
        co_return co_await files::receive_to(link, **into, progress);
    }

    coro::task<files::attempt<files::downloaded>> to_file(files::link& link,
                                                          files::progress& progress) {
        auto into = files::partial_file::beside(to_.name);
        if (!into) co_return files::of_disk("making " + in_quotes(to_.name), into.error());
        const files::download_options o{.resume = settings_.resume, .sync = !settings_.no_sync};
        files::attempt<files::downloaded> done;
        if (http()) {
            done = co_await files::get_file(link, from_.target(), *into, o, progress);
        } else {
            done = co_await files::receive_file(link, *into, o, progress);
        }
        waits_ = into->waits();
        co_return done;
    }

    /// Adds advice to the error.
    [[nodiscard]] files::transfer_error with_advice(files::transfer_error t) const {
        const bool gone = t.kind == files::transfer_error_kind::unreachable ||
                          t.kind == files::transfer_error_kind::cancelled;
        if (waits_) {
            t.what += "; what has come is kept, get it again with --resume to go on from there";
        } else if (gone && !to_.is_stream) {
            t.what += "; nothing was kept";
        }
        return t;
    }

    void report(const files::downloaded& done, double seconds) {
        const file_outcome end{.file = from_.to_string(),
                               .other = to_.name,
                               .bytes = done.bytes,
                               .resumed_from = done.resumed_from,
                               .seconds = seconds,
                               .sha256 = done.sha256,
                               .verified = done.sha256.has_value()};
        const auto line = display_.in_json()
                              ? done_as_json(end)
                              : fmt::format("Received {} bytes of {} as {}{}\n", done.bytes,
                                            end.file, in_quotes(to_.name), details_of(end));
        if (to_.name == "-") {
            show_on_stderr(line);
        } else {
            print(line);
            flush_results();
        }
    }

    const get_settings& settings_;
    const http::url& from_;
    destination to_;
    progress_display& display_;
    bool waits_ = false;
};

exit_status get(const CLI::App& command, const get_settings& s) {
    const auto& given = settle_standard_streams();
    const auto from = http::parse_url(s.from);
    if (!from) return report_usage_error(command, from.error());
    if (auto why = net::why_no_address(from->authority); !why.empty()) {
        return report_usage_error(command, why);
    }
    auto to = choose_destination(s, *from);
    if (!to) return report_usage_error(command, to.error());
    if (to->name == "-" && !given.out)
        return report_usage_error(command, "stdout is closed; use -o FILE");
    if (s.resume && (to->is_stream || from->scheme == http::url_scheme::tcp)) {
        return report_usage_error(
            command, "--resume goes with http:// and a file; a stream can only begin anew");
    }
    progress_display display{s.common.progress};
    receiver download{s, *from, std::move(*to), display};
    return run_client(s.common, *from, {.receives = s.how}, display,
                      [&](files::link& link) { return download.receive(link); });
}

}  // namespace

void add_files_get(commands& all, CLI::App& files) {
    auto* command = files.add_subcommand("get", "Fetch a file from a server");
    auto s = std::make_shared<get_settings>();
    command->add_option("URL", s->from, "http://HOST:PORT/NAME or tcp://HOST:PORT")
        ->required()
        ->type_name("");
    command
        ->add_option("-o,--output", s->output,
                     "What it is called here: a file, a directory, or - for stdout (its own name)")
        ->type_name("FILE");
    command->add_flag("--resume", s->resume, "Go on with what an earlier get left");
    add_value(*command, "--strategy", s->how, one_of{transfer::to_file_names}, "HOW",
              "auto, recv-write, recv-write-1m, recv-full, splice, uring-splice, uring-recv-write "
              "(auto)");
    command->add_flag("--no-sync", s->no_sync, "Do not wait for the disk");
    add_client_options(*command, s->common);
    all.on(*command, [command, s] { return get(*command, *s); });
}

}  // namespace sluice::cli
