// Options that several of the load programs have.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <type_traits>

#include <CLI/CLI.hpp>

namespace load {

/// One of `names`.
template <class T>
CLI::Option* add_choice(CLI::App& app, const std::string& name, T& into,
                        const std::map<std::string, T>& names, const std::string& what) {
    CLI::CheckedTransformer checked{names};
    std::string words;
    for (const auto& [word, value] : names) words.append(words.empty() ? "" : "|").append(word);
    return app.add_option(name, into, what)->transform(checked.description(""))->type_name(words);
}

/// One of the works of a program.
template <class Job>
struct job_name {
    Job job;
    const char* name;
    const char* what;
};

/// The work that is wanted, by its name; help says what each of them is.
template <class Job>
void add_jobs(CLI::App& app, Job& into, std::initializer_list<job_name<Job>> jobs) {
    std::map<std::string, Job> names;
    std::string listed = "Jobs:\n";
    for (const auto& each : jobs) {
        names.emplace(each.name, each.job);
        listed.append("  ").append(each.name).append(": ").append(each.what).append("\n");
    }
    add_choice(app, "JOB", into, names, "what to do")->required();
    app.footer(listed);
}

/// A number from `least` to `most`.
template <class T>
CLI::Option* add_number(CLI::App& app, const std::string& name, T& into,
                        std::type_identity_t<T> least, std::type_identity_t<T> most,
                        const std::string& what) {
    return app.add_option(name, into, what)
        ->check(CLI::Range{least, most}.description(""))
        ->capture_default_str();
}

inline void add_port(CLI::App& app, std::uint16_t& into) {
    app.add_option("PORT", into, "of the server, on 127.0.0.1")->required();
}

inline void add_seconds(CLI::App& app, const std::string& name, double& into,
                        const std::string& what) {
    add_number(app, name, into, 0, 3600, what);
}

inline void add_server(CLI::App& app, pid_t& into) {
    app.add_option("--server-pid", into, "a process whose CPU time is reported, too")
        ->check(CLI::Range{1, 1 << 22}.description(""));
}

}  // namespace load
