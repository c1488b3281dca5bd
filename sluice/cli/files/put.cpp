// Uploads files, directories, or stdin.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/cli/files/client.hpp"
#include "sluice/cli/files/files_below.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/files/client/upload.hpp"
#include "sluice/http/percent.hpp"
#include "sluice/http/url.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/term/console.hpp"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

struct put_settings {
    client_settings common;
    std::vector<std::string> words;  // the files, and the URL at the end
    transfer::to_socket how = transfer::to_socket::automatic;
    bool recursive = false;
};

/// A file to upload.
struct item {
    std::string file;  ///< the name to open; "-" is stdin
    std::string path;  ///< its path on the server, encoded; empty for a bare stream
};

/// The files to upload, and the worst status of those that cannot be.
struct plan {
    std::vector<item> items;
    exit_status status = exit_status::done;
};

using mistake = std::unexpected<std::string>;

exit_status report_failure(const progress_display& display, const std::string& file,
                           std::string what) {
    return report_error(display, file,
                        {.kind = files::transfer_error_kind::failed, .what = std::move(what)});
}

/// Adds all regular files below `folder`; their paths on the server begin with its name.
void add_directory(plan& into, const progress_display& display, const std::string& folder,
                   const std::string& base) {
    auto name = fs::path{folder}.lexically_normal();
    if (!name.has_filename()) name = name.parent_path();
    const auto own = name.filename().string();
    const std::string below = own == "." || own == ".." || own == "/" ? "" : own + "/";
    const std::string prefix = folder.ends_with('/') ? folder : folder + "/";
    const auto found = find_files_below(folder);
    for (const auto& each : found.omitted) {
        const auto file = each.name.empty() ? folder : prefix + each.name;
        into.status = worse(into.status, report_failure(display, file, each.why));
    }
    for (const auto& each : found.regular) {
        into.items.push_back(
            {.file = prefix + each, .path = base + http::percent_encode_path(below + each)});
    }
}

/// The files to upload and their paths; the error is a mistake of the user.
std::expected<plan, std::string> make_plan(const put_settings& s, const http::url& to,
                                           const progress_display& display) {
    const bool http = to.scheme == http::url_scheme::http;
    const bool below = !http || to.path.ends_with('/');
    if (!to.query.empty()) return mistake{"a URL to put at has no query; leave out the ?"};
    plan made;
    const std::vector<std::string> names{s.words.begin(), s.words.end() - 1};
    if (!below && names.size() > 1) {
        return mistake{fmt::format("{} files cannot all be {}; end the URL in a slash",
                                   names.size(), in_quotes(to.to_string()))};
    }
    for (const auto& file : names) {
        struct stat found{};
        const bool exists = file != "-" && os::sys().fstatat(AT_FDCWD, file.c_str(), found, 0) == 0;
        if (exists && S_ISDIR(found.st_mode)) {
            if (!s.recursive) {
                return mistake{in_quotes(file) +
                               " is a directory; add --recursive to send all "
                               "files in it"};
            }
            if (!below) {
                return mistake{"a directory needs a place to go below; end the URL in a slash"};
            }
            add_directory(made, display, file, http ? to.path : "");
            continue;
        }
        item next{.file = file, .path = http ? to.path : ""};
        if (http && below) {
            const auto name = file == "-" ? std::string{} : fs::path{file}.filename().string();
            if (name.empty()) {
                return mistake{"what comes on stdin has no name; write one at the end of the URL"};
            }
            next.path += http::percent_encode_name(name);
        }
        made.items.push_back(std::move(next));
    }
    return made;
}

/// Uploads files one after another over a connection.
class sender {
 public:
    sender(const http::url& to, progress_display& display) : to_{to}, display_{display} {}

    coro::task<exit_status> send_all(files::link& link, plan what) {
        exit_status status = what.status;
        for (const auto& each : what.items) {
            const auto end = co_await send(link, each);
            status = worse(status, end);
            // After a file that failed the next may succeed, unless the server is gone.
            if (end == exit_status::unreachable || end == exit_status::interrupted) break;
        }
        co_return status;
    }

 private:
    coro::task<exit_status> send(files::link& link, const item& what) {
        files::progress progress;
        unique_fd file;
        files::upload_source source;
        bool stream = what.file == "-";
        if (!stream) {
            os::kernel& sys = os::sys();
            file.reset(sys.openat(AT_FDCWD, what.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
            struct stat found{};
            const int failed = file ? sys.fstat(file.get(), found) : file.get();
            if (failed < 0) {
                co_return report_failure(display_, what.file,
                                         "it cannot be read: " + error::system(-failed).message());
            }
            stream = !S_ISREG(found.st_mode);
            source = {.file = file.get(), .size = static_cast<std::uint64_t>(found.st_size)};
        }
        const auto begun = io::clock::now();
        display_.begin(what.file, progress);
        files::attempt<files::uploaded> done;
        if (stream) {
            done = co_await send_stream(link, file ? file.get() : STDIN_FILENO, what, progress);
        } else if (to_.scheme == http::url_scheme::http) {
            done = co_await files::put_file(link, source, what.path, progress);
        } else {
            done = co_await files::stream_file(link, source, progress);
        }
        display_.end();
        if (!done)
            co_return report_error(display_, what.file,
                                   with_advice(done.error(), progress, stream));
        const std::chrono::duration<double> took = io::clock::now() - begun;
        report(what, *done, took.count());
        co_return exit_status::done;
    }

    coro::task<files::attempt<files::uploaded>> send_stream(files::link& link, int fd,
                                                            const item& what,
                                                            files::progress& progress) {
        auto from = term::console::open(link.engine(), fd);
        if (!from) co_return files::of_disk("reading what is to be sent", from.error());
        if (to_.scheme == http::url_scheme::http) {
            co_return co_await files::put_stream(link, **from, what.path, progress);
        }
        co_return co_await files::stream_all(link, **from, progress);
    }

    /// Adds advice to the error.
    [[nodiscard]] files::transfer_error with_advice(files::transfer_error t,
                                                    const files::progress& progress,
                                                    bool stream) const {
        const bool gone = t.kind == files::transfer_error_kind::unreachable ||
                          t.kind == files::transfer_error_kind::cancelled;
        if (!gone || !progress.moves()) return t;
        if (to_.scheme == http::url_scheme::http && !stream &&
            progress.total() >= files::worth_resuming) {
            t.what += "; run the same command again to go on from where it stopped";
        } else {
            t.what += "; nothing was kept, send it again";
        }
        return t;
    }

    void report(const item& what, const files::uploaded& done, double seconds) {
        auto where = to_;
        where.path = what.path;
        const file_outcome end{.file = what.file,
                               .other = where.to_string(),
                               .bytes = done.bytes,
                               .resumed_from = done.resumed_from,
                               .seconds = seconds,
                               .sha256 = done.sha256,
                               .verified = done.verified};
        if (display_.in_json()) {
            print(done_as_json(end));
        } else {
            print(fmt::format("Sent {} bytes of {} to {}{}\n", done.bytes, in_quotes(what.file),
                              end.other, details_of(end)));
        }
        flush_results();
    }

    const http::url& to_;
    progress_display& display_;
};

exit_status put(const CLI::App& command, const put_settings& s) {
    settle_standard_streams();
    if (s.words.size() < 2) {
        return report_usage_error(command,
                                  "name the files and then the URL: files put FILE... URL");
    }
    const auto to = http::parse_url(s.words.back());
    if (!to) return report_usage_error(command, to.error());
    if (auto why = net::why_no_address(to->authority); !why.empty())
        return report_usage_error(command, why);
    progress_display display{s.common.progress};
    auto what = make_plan(s, *to, display);
    if (!what) return report_usage_error(command, what.error());
    sender uploads{*to, display};
    return run_client(s.common, *to, {.sends = s.how}, display,
                      [&](files::link& link) { return uploads.send_all(link, std::move(*what)); });
}

}  // namespace

void add_files_put(commands& all, CLI::App& files) {
    auto* command = files.add_subcommand("put", "Send files to a server");
    auto s = std::make_shared<put_settings>();
    command
        ->add_option("FILE... URL", s->words,
                     "What to send (- is stdin), and where to: http://HOST:PORT/NAME, "
                     "http://HOST:PORT/ for each under its own name, or tcp://HOST:PORT")
        ->type_name("");
    command->add_flag("-r,--recursive", s->recursive, "Send the files in directories, too");
    add_value(*command, "--strategy", s->how, one_of{transfer::to_socket_names}, "HOW",
              "auto, read-send, sendfile, sendfile-cork, splice, mmap-send, zero-copy, "
              "uring-splice, uring-read-send-zc (auto)");
    add_client_options(*command, s->common);
    all.on(*command, [command, s] { return put(*command, *s); });
}

}  // namespace sluice::cli
