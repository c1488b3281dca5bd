// Implements `sluice compute ask`: asks one question or many, and reports rate and latency.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "sluice/cli/auth/client_login.hpp"
#include "sluice/cli/client_tls.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/open_engine.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/run_server.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/stop_signals.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/compute/client/load_client.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/address.hpp"
#include "sluice/term/progress_line.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::cli {
namespace {

using compute::load_client_result;

struct ask_settings {
    std::string where;
    compute::load_client_options load;
    std::chrono::milliseconds timeout{60'000};
    std::optional<engine_request> engine;
    bool json = false;
    client_tls_options tls;
    client_login_options login;
};

/// A progress bar on a terminal.
class bar {
 public:
    explicit bar(std::uint64_t all) : all_{all} {}

    [[nodiscard]] bool shown() const noexcept { return all_ > 1 && line_.can_draw(); }
    void draw(std::uint64_t done) {
        constexpr std::size_t width = 40;
        const double share = static_cast<double>(done) / static_cast<double>(all_);
        const double rate = static_cast<double>(done) / seconds_since(begun_);
        const auto text =
            fmt::format("{} {} of {}, {:.0f} a second", term::progress_bar(share, width),
                        grouped(done), grouped(all_), rate);
        line_.draw(wire::truncate_utf8(text, term::progress_line::width()));
    }

 private:
    static double seconds_since(io::time_point when) {
        return std::max(1e-9, std::chrono::duration<double>(io::clock::now() - when).count());
    }

    std::uint64_t all_;
    term::progress_line line_{show_on_stderr};
    io::time_point begun_ = io::clock::now();
};

double in_milliseconds(io::duration d) {
    return std::chrono::duration<double, std::milli>(d).count();
}

double in_seconds(io::duration d) {
    return std::chrono::duration<double>(d).count();
}

/// The latency that `share` of the answers did not exceed.
io::duration latency(const load_client_result& a, double share) {
    return io::duration{static_cast<io::duration::rep>(a.took.at(share))};
}

double rate_of(const load_client_result& a) {
    return a.elapsed.count() > 0 ? static_cast<double>(a.answered) / in_seconds(a.elapsed) : 0;
}

std::string format_duration(io::duration d) {
    const double ms = in_milliseconds(d);
    if (ms >= 1000) return fmt::format("{:.2f} s", ms / 1000);
    if (ms >= 1) return fmt::format("{:.2f} ms", ms);
    return fmt::format("{:.0f} us", ms * 1000);
}

std::string question_and_answer(const ask_settings& s, const load_client_result& a) {
    const auto& reply = a.answer ? a.answer : a.refusal;
    if (!reply) return {};
    return fmt::format("function({}): {}\n", wire::printable(s.load.question),
                       wire::printable(*reply));
}

std::string summary(const ask_settings& s, const load_client_result& a) {
    auto text = fmt::format("{} answers in {:.3f} s: {:.1f} a second ({} clients x {} questions)\n",
                            grouped(a.answered), in_seconds(a.elapsed), rate_of(a),
                            grouped(s.load.clients), grouped(s.load.requests));
    if (a.answered > 0) {
        text += fmt::format("latency: p50 {}, p90 {}, p99 {}, max {}\n",
                            format_duration(latency(a, 0.5)), format_duration(latency(a, 0.9)),
                            format_duration(latency(a, 0.99)), format_duration(latency(a, 1)));
    }
    if (a.errors.empty()) return text + "errors: none\n";
    std::string list;
    for (const auto& [kind, count] : a.errors) {
        list += fmt::format("{}{} {}", list.empty() ? "" : ", ", kind, grouped(count));
    }
    return text + "errors: " + list + '\n';
}

std::string as_json(const ask_settings& s, const load_client_result& a) {
    nlohmann::ordered_json j;
    j["question"] = s.load.question;
    j["answer"] = a.answer ? nlohmann::json(*a.answer) : nlohmann::json(nullptr);
    j["clients"] = s.load.clients;
    j["requests"] = s.load.requests;
    j["reconnect"] = s.load.reconnect;
    j["answered"] = a.answered;
    j["seconds"] = in_seconds(a.elapsed);
    j["rate"] = rate_of(a);
    j["latency_ms"] = {{"p50", in_milliseconds(latency(a, 0.5))},
                       {"p90", in_milliseconds(latency(a, 0.9))},
                       {"p99", in_milliseconds(latency(a, 0.99))},
                       {"max", in_milliseconds(latency(a, 1))}};
    j["errors"] = nlohmann::json::object();
    for (const auto& [kind, count] : a.errors) j["errors"][kind] = count;
    return json_text(j, 2);
}

exit_status status_of(const load_client_result& a, int signal) {
    if (signal != 0) return signal == SIGINT ? exit_status::interrupted : exit_status::failed;
    if (a.errors.empty()) return exit_status::done;
    return a.lost ? exit_status::unreachable : exit_status::failed;
}

/// Announces why no question was answered.
void announce_no_answer(const ask_settings& s, const load_client_result& a) {
    for (const auto& [kind, count] : a.errors) {
        static_cast<void>(announce_failure(
            a.reached
                ? fmt::format("{} gave no answer ({})", in_quotes(s.where), kind)
                : fmt::format("cannot reach {} ({}): is `sluice compute serve` running there?",
                              in_quotes(s.where), kind),
            exit_status::unreachable));
        return;
    }
}

exit_status ask(const CLI::App& command, ask_settings& s) {
    settle_standard_streams();
    raise_open_files();
    if (s.load.question.find('\n') != std::string::npos) {
        return report_usage_error(command, "a question is one line; ask the lines one by one");
    }
    const bool over_tls = take_tls_prefix(s.where) || s.tls.asked;
    auto where = net::resolve(s.where);
    if (!where) {
        return announce_failure(
            fmt::format("cannot find {} ({}): check the name, or give an IP address",
                        in_quotes(s.where), where.error().message()),
            exit_status::unreachable);
    }
    auto engine = open_engine(s.engine.value_or(engine_request::automatic));
    if (!engine) return announce_failure(engine.error(), exit_status::failed);
    std::unique_ptr<tls::client_context> over;
    if (over_tls) {
        auto made = open_client_tls(s.tls, s.where);
        if (!made) return announce_failure(made.error(), exit_status::failed);
        over = std::move(*made);
    }
    auto login = open_client_login(s.login, *where, over_tls);
    if (!login) return announce_failure(login.error(), exit_status::failed);
    s.load.login = std::move(*login);
    s.load.over = over.get();
    s.load.where = std::move(*where);
    s.load.timeout = s.timeout;
    const auto all = s.load.clients * s.load.requests;
    compute::load_client client{**engine, s.load};
    load_client_result outcome;
    int signal = 0;
    {
        const stop_signals stops{**engine, [&client] { client.stop(); }};
        bar progress{all};
        auto draw = [&progress](std::uint64_t done) { progress.draw(done); };
        outcome =
            io::run(**engine, client.run(progress.shown() ? std::function<void(std::uint64_t)>{draw}
                                                          : std::function<void(std::uint64_t)>{}));
        signal = stops.first();
    }
    if (s.json) {
        print(as_json(s, outcome));
    } else {
        print(question_and_answer(s, outcome));
        if (all > 1) print(summary(s, outcome));
    }
    if (outcome.answered == 0 && !outcome.refusal) announce_no_answer(s, outcome);
    return status_of(outcome, signal);
}

}  // namespace

void add_compute_ask(commands& all, CLI::App& compute) {
    constexpr std::uint64_t most_clients = 20'000;
    constexpr std::uint64_t most_requests = 1'000'000'000;
    auto* command = compute.add_subcommand("ask", "Ask a question, once or many times");
    auto s = std::make_shared<ask_settings>();
    add_value(*command, "ADDRESS", s->where, read_server_address, "",
              "HOST:PORT or PORT, with tls:// in front of it over TLS")
        ->required();
    add_value(
        *command, "N", s->load.question,
        [](std::string_view text) -> reading<std::string> { return std::string{text}; }, "",
        "What to ask: a number for fib")
        ->required();
    add_value(*command, "--clients", s->load.clients, count_from{1, most_clients}, "C",
              "Clients that ask at a time, a connection each (1)");
    add_value(*command, "--requests", s->load.requests, count_from{1, most_requests}, "R",
              "Questions that each of them asks, one after another (1)");
    command->add_flag("--reconnect", s->load.reconnect, "A new connection for each question");
    add_value(*command, "--timeout", s->timeout, read_duration, "TIME",
              "For a connection, and for an answer (60s)");
    command->add_flag("--json", s->json, "Print one JSON object");
    add_client_tls_options(*command, s->tls, true);
    add_client_login_options(*command, s->login);
    add_engine_option(*command, s->engine);
    all.on(*command, [command, s] { return ask(*command, *s); });
}

}  // namespace sluice::cli
