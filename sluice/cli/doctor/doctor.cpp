// `sluice doctor`: checks the host for sluice, and reports the findings.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "sluice/cli/doctor/checks.hpp"
#include "sluice/cli/doctor/host_facts.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/io/engines/uring_probe.hpp"
#include "sluice/term/colour.hpp"

namespace sluice::cli {
namespace {

using json = nlohmann::ordered_json;

struct diagnosis {
    machine host;
    io::uring_support uring;
    std::vector<finding> findings;

    [[nodiscard]] std::string_view engine() const { return uring.usable ? "uring" : "epoll"; }
    [[nodiscard]] auto count(mark result) const {
        return std::ranges::count(findings, result, &finding::result);
    }
    [[nodiscard]] mark worst() const {
        return std::ranges::max(findings, {}, &finding::result).result;
    }
};

diagnosis examine() {
    diagnosis found{.host = read_machine(), .uring = io::probe_uring(), .findings = {}};
    found.findings = judge_machine(found.host, found.uring);
    return found;
}

json text_or_null(const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
}

/// The mark of a feature in the probe; unknown if the kernel refused io_uring as a whole.
mark check_feature(const io::uring_support& uring, const io::uring_feature& feature) {
    if (uring.*feature.found) return mark::ok;
    return uring.refusal ? mark::unknown : mark::warn;
}

json features_as_json(const io::uring_support& uring) {
    json features = json::object();
    for (const auto& feature : io::uring_features()) {
        const auto result = check_feature(uring, feature);
        features[feature.name] = {
            {"found", result == mark::unknown ? json(nullptr) : json(result == mark::ok)},
            {"mark", to_text(result)},
            {"needed", feature.needed},
            {"since", feature.since},
            {"gives", feature.gives}};
    }
    return features;
}

void print_json(const diagnosis& found) {
    const auto around = io::read_uring_surroundings();
    json document = {
        {"sluice", SLUICE_VERSION}, {"mark", to_text(found.worst())}, {"engine", found.engine()}};
    for (const auto& each : found.findings) {
        document[std::string{each.section}][std::string{each.key}] = {
            {"value", each.value},
            {"mark", to_text(each.result)},
            {"meaning", each.meaning},
            {"change", each.change}};
    }
    document["kernel"]["release"]["architecture"] = found.host.architecture;
    auto& uring = document["io_uring"];
    uring["usable"]["why_not"] = text_or_null(found.uring.why_not);
    uring["usable"]["errno"] =
        found.uring.refusal ? json(found.uring.refusal->code()) : json(nullptr);
    uring["sysctl"] = around.disabled ? json(*around.disabled) : json(nullptr);
    uring["seccomp"] = around.seccomp ? json(*around.seccomp) : json(nullptr);
    uring["features"] = features_as_json(found.uring);
    document["unreadable"] = found.host.unreadable;
    print(document.dump(2, ' ', false, json::error_handler_t::replace) + '\n');
}

std::string coloured(mark result, bool colour) {
    auto word = fmt::format("{:<4}", to_text(result));
    if (!colour) return word;
    const int code = result == mark::ok ? 32 : result == mark::bad ? 31 : 33;
    return fmt::format("\x1b[{}m{}\x1b[0m", code, word);
}

constexpr std::size_t indent = 8;

std::string features_as_text(const io::uring_support& uring, bool colour) {
    if (uring.refusal) {
        return fmt::format("  {}  {:<21} none was tried, as the kernel refused\n",
                           coloured(mark::unknown, colour), "features");
    }
    std::string text;
    for (const auto& feature : io::uring_features()) {
        const auto result = check_feature(uring, feature);
        text += fmt::format("  {}  {:<21} {:<7}  {} (Linux {})\n", coloured(result, colour),
                            feature.name, result == mark::ok ? "found" : "missing", feature.gives,
                            feature.since);
    }
    return text;
}

std::string as_text(const finding& each, bool colour) {
    std::string label{each.key};
    std::ranges::replace(label, '_', ' ');
    auto text = fmt::format("  {}  {:<21} {}\n", coloured(each.result, colour), label, each.shown) +
                wrapped(each.meaning, indent, text_columns);
    if (each.result != mark::ok) text += wrapped("Change: " + each.change, indent, text_columns);
    return text;
}

/// The findings that are not ok, the worst first.
std::vector<finding> problems_of(const std::vector<finding>& all) {
    std::vector<finding> found;
    for (const mark result : {mark::bad, mark::warn, mark::unknown}) {
        std::ranges::copy_if(all, std::back_inserter(found),
                             [=](const finding& each) { return each.result == result; });
    }
    return found;
}

void print_text(const diagnosis& found) {
    const bool colour = term::may_colour(stdout);
    std::string text =
        fmt::format("sluice " SLUICE_VERSION " on Linux {} {}: --engine auto takes {}\n",
                    found.host.release, found.host.architecture, found.engine());
    const auto problems = problems_of(found.findings);
    if (!problems.empty()) text += "\nto look at\n";
    for (const auto& each : problems) text += as_text(each, colour);
    std::string_view section;
    for (const auto& each : found.findings) {
        // The features of io_uring are shown in any case.
        const bool fine = each.result == mark::ok;
        if (!fine && each.section != "io_uring") continue;
        if (each.section != section) text += fmt::format("\n{}\n", each.section);
        section = each.section;
        if (fine) text += as_text(each, colour);
        if (section == "io_uring") text += features_as_text(found.uring, colour);
    }
    text += '\n';
    for (const auto& file : found.host.unreadable) {
        text += fmt::format("{} could not be read here.\n", file);
    }
    text += wrapped(fmt::format("{} ok, {} to look at, {} bad, {} unknown. What sysctl -w changes "
                                "lasts until the next boot; a line in /etc/sysctl.d/sluice.conf "
                                "keeps it.",
                                found.count(mark::ok), found.count(mark::warn),
                                found.count(mark::bad), found.count(mark::unknown)),
                    0, text_columns);
    print(text);
}

}  // namespace

void add_doctor(commands& all) {
    auto* doctor =
        all.root().add_subcommand("doctor", "Examine this machine: what it offers sluice");
    auto as_json = std::make_shared<bool>(false);
    doctor->add_flag("--json", *as_json, "Print JSON, for programs");
    doctor->footer("Exit status 0, whatever was found; what could not be read is null in JSON.");
    all.on(*doctor, [as_json] {
        const auto found = examine();
        if (*as_json) {
            print_json(found);
        } else {
            print_text(found);
        }
        return exit_status::done;
    });
}

}  // namespace sluice::cli
