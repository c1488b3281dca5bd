// Opens, writes, renames.
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
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/words.hpp"
#include "sluice/lab/report/csv.hpp"
#include "sluice/lab/report/html.hpp"
#include "sluice/lab/report/json.hpp"
#include "sluice/term/colour.hpp"

namespace sluice::cli {
namespace {

using attempt = std::expected<void, std::string>;

std::unexpected<std::string> why_no_report(const std::string& path, int code) {
    return std::unexpected{fmt::format("cannot write the report {}: {}", in_quotes(path),
                                       error::system(code).message())};
}

/// What is no plain file, /dev/stdout for one, is written to where it is.
bool is_special(const std::string& path) {
    std::error_code trouble;
    const auto about = std::filesystem::status(path, trouble);
    return !trouble && std::filesystem::exists(about) && !std::filesystem::is_regular_file(about);
}

std::string beside(const std::string& path) {
    return is_special(path) ? path : path + ".part";
}

unique_fd open_for(const std::string& path) {
    return unique_fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
}

// The path that is no file of that name, but stdout.
constexpr std::string_view stdout_path = "-";

attempt try_path(const std::string& path) {
    if (path.empty() || path == stdout_path) return {};
    std::error_code unseen;  // what may not be looked at is told by open(2)
    if (std::filesystem::is_directory(path, unseen)) return why_no_report(path, EISDIR);
    const auto fresh = beside(path);
    const auto file = open_for(fresh);
    if (!file) return why_no_report(path, errno);
    if (fresh != path) ::unlink(fresh.c_str());
    return {};
}

attempt write(const std::string& path, std::string_view text) {
    if (path == stdout_path) {
        print(text);
        return {};
    }
    const auto fresh = beside(path);
    const auto file = open_for(fresh);
    if (!file) return why_no_report(path, errno);
    while (!text.empty()) {
        const ssize_t n = ::write(file.get(), text.data(), text.size());
        if (n < 0) {
            const int code = errno;
            if (fresh != path) ::unlink(fresh.c_str());
            return why_no_report(path, code);
        }
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    if (fresh != path && ::rename(fresh.c_str(), path.c_str()) != 0)
        return why_no_report(path, errno);
    return {};
}

int on_stdout(const report_paths& where) {
    return (where.html == stdout_path ? 1 : 0) + (where.json == stdout_path ? 1 : 0) +
           (where.csv == stdout_path ? 1 : 0);
}

bool speaks_utf8() {
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

std::expected<void, std::string> try_paths(const report_paths& where) {
    if (on_stdout(where) > 1) {
        return std::unexpected{
            "only one of --json, --csv and --html can go to stdout; name a file for the others"};
    }
    for (const auto* each : {&where.html, &where.json, &where.csv}) {
        if (auto can = try_path(*each); !can) return can;
    }
    return {};
}

bool uses_stdout(const report_paths& where) {
    return on_stdout(where) > 0;
}

std::expected<void, std::string> write_reports(const lab::results& found, const report_paths& where,
                                               lab::baseline base) {
    if (!where.json.empty()) {
        if (auto done = write(where.json, lab::as_json(found)); !done) return done;
    }
    if (!where.csv.empty()) {
        if (auto done = write(where.csv, lab::as_csv(found)); !done) return done;
    }
    if (!where.html.empty()) {
        if (auto done = write(where.html, lab::as_html(found, base)); !done) return done;
    }
    return {};
}

lab::text_form form_of_stdout(lab::baseline base) {
    lab::text_form form{.unicode = speaks_utf8(), .colour = may_colour(stdout), .base = base};
    form.answers_last = ::isatty(STDOUT_FILENO) == 1;
    winsize size{};
    constexpr unsigned short least = 40;
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= least) {
        form.columns = size.ws_col;
    }
    return form;
}

}  // namespace sluice::cli
