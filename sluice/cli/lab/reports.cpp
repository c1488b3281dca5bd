// Implements the writing of reports: to a temporary file and rename(2), or to stdout.
#include "sluice/cli/lab/reports.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/text_file.hpp"
#include "sluice/lab/report/csv.hpp"
#include "sluice/lab/report/html.hpp"
#include "sluice/lab/report/json.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/terminal.hpp"
#include "sluice/term/colour.hpp"

namespace sluice::cli {
namespace {

using attempt = std::expected<void, std::string>;

std::unexpected<std::string> report_write_error(const std::string& path, int code) {
    return std::unexpected{fmt::format("cannot write the report {}: {}", in_quotes(path),
                                       error::system(code).message())};
}

/// The type of `path` (inode(7), S_IFMT); 0 if it cannot be examined.
mode_t type_of(const std::string& path) {
    struct stat about{};
    return os::sys().fstatat(AT_FDCWD, path.c_str(), about, 0) == 0 ? about.st_mode & S_IFMT : 0;
}

/// Whether `path` is no regular file, such as /dev/stdout: then it is written in place.
bool is_special(const std::string& path) {
    const auto type = type_of(path);
    return type != 0 && type != S_IFREG;
}

std::string temporary_path(const std::string& path) {
    return is_special(path) ? path : path + ".part";
}

unique_fd open_for(const std::string& path) {
    return unique_fd{
        os::sys().openat(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
}

// The path that means stdout.
constexpr std::string_view stdout_path = "-";

attempt try_path(const std::string& path) {
    if (path.empty() || path == stdout_path) return {};
    if (type_of(path) == S_IFDIR) return report_write_error(path, EISDIR);
    const auto temporary = temporary_path(path);
    const auto file = open_for(temporary);
    if (!file) return report_write_error(path, -file.get());
    if (temporary != path) os::sys().unlinkat(AT_FDCWD, temporary.c_str(), 0);
    return {};
}

attempt write(const std::string& path, std::string_view text) {
    if (path == stdout_path) {
        print(text);
        return {};
    }
    const auto temporary = temporary_path(path);
    result<void> done;
    if (temporary != path) {
        done = replace_text(path, temporary, text);
    } else if (const auto file = open_for(path)) {
        done = write_text(file.get(), text);
    } else {
        done = failure_of(-file.get());
    }
    if (!done) return report_write_error(path, done.error().code());
    return {};
}

int on_stdout(const report_paths& paths) {
    return (paths.html == stdout_path ? 1 : 0) + (paths.json == stdout_path ? 1 : 0) +
           (paths.csv == stdout_path ? 1 : 0);
}

bool locale_is_utf8() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* value = std::getenv(name);
        if (value == nullptr || *value == '\0') continue;
        std::string lower{value};
        std::ranges::transform(lower, lower.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        return lower.contains("utf-8") || lower.contains("utf8");
    }
    return false;
}

}  // namespace

std::expected<void, std::string> try_paths(const report_paths& paths) {
    if (on_stdout(paths) > 1) {
        return std::unexpected{
            "only one of --json, --csv and --html can go to stdout; name a file for the others"};
    }
    for (const auto* each : {&paths.html, &paths.json, &paths.csv}) {
        if (auto usable = try_path(*each); !usable) return usable;
    }
    return {};
}

bool uses_stdout(const report_paths& paths) {
    return on_stdout(paths) > 0;
}

std::expected<void, std::string> write_reports(const lab::results& found, const report_paths& paths,
                                               lab::baseline base) {
    if (!paths.json.empty()) {
        if (auto done = write(paths.json, lab::as_json(found)); !done) return done;
    }
    if (!paths.csv.empty()) {
        if (auto done = write(paths.csv, lab::as_csv(found)); !done) return done;
    }
    if (!paths.html.empty()) {
        if (auto done = write(paths.html, lab::as_html(found, base)); !done) return done;
    }
    return {};
}

lab::text_form form_of_stdout(lab::baseline base) {
    lab::text_form form{
        .unicode = locale_is_utf8(), .colour = term::may_colour(stdout), .base = base};
    form.answers_last = os::is_terminal(STDOUT_FILENO);
    winsize size{};
    constexpr unsigned short least = 40;
    if (os::sys().ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= least) {
        form.columns = size.ws_col;
    }
    return form;
}

}  // namespace sluice::cli
