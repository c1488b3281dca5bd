// The common options of every `serve`: pairs of engine and model, and where values come from.
#include "sluice/cli/serve_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/cli/commands.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output_queue.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr auto automatic = engine_request::automatic;
constexpr auto blocking = engine_request::blocking;

TEST(pairing, nothing_asked_is_the_best_engine_with_events) {
    EXPECT_EQ(pair_up({}, {}), (pairing{automatic, model_kind::event}));
}

TEST(pairing, an_engine_alone_brings_its_model) {
    EXPECT_EQ(pair_up(blocking, {}), (pairing{blocking, model_kind::sync}));
    for (const auto engine : {automatic, engine_request::epoll, engine_request::uring}) {
        EXPECT_EQ(pair_up(engine, {}), (pairing{engine, model_kind::event}));
    }
}

TEST(pairing, a_model_alone_brings_its_engine) {
    EXPECT_EQ(pair_up({}, model_kind::event), (pairing{automatic, model_kind::event}));
    for (const auto model :
         {model_kind::sync, model_kind::fork, model_kind::thread, model_kind::pool}) {
        EXPECT_EQ(pair_up({}, model), (pairing{blocking, model}));
        EXPECT_EQ(pair_up(automatic, model), (pairing{blocking, model}));
        EXPECT_EQ(pair_up(blocking, model), (pairing{blocking, model}));
    }
}

TEST(pairing, what_does_not_go_together_is_refused_with_what_does) {
    const auto pairs =
        HasSubstr("sync, fork, thread and pool run on blocking, event runs on epoll or uring");
    EXPECT_THAT(pair_up(blocking, model_kind::event).error(),
                AllOf(StartsWith("--engine blocking does not go with --model event"), pairs));
    for (const auto engine : {engine_request::epoll, engine_request::uring}) {
        EXPECT_TRUE(pair_up(engine, model_kind::event));
        for (const auto model :
             {model_kind::sync, model_kind::fork, model_kind::thread, model_kind::pool}) {
            ASSERT_FALSE(pair_up(engine, model));
            EXPECT_THAT(pair_up(engine, model).error(), pairs);
        }
    }
}

/// A program with `talk serve`, `talk join` and `files serve`, whose actions only note that they
/// ran. SLUICE_* variables end with the test.
class sources : public ::testing::Test {
 public:
    sources() {
        for (const auto* name : {"SLUICE_LISTEN", "SLUICE_ENGINE", "SLUICE_QUIET", "SLUICE_CONFIG",
                                 "SLUICE_MAX_CLIENTS", "SLUICE_HELP"}) {
            ::unsetenv(name);
        }
        set("SLUICE_CONFIG", "none");
    }
    ~sources() override {
        for (const auto& name : variables_) ::unsetenv(name.c_str());
        std::error_code ignored;
        std::filesystem::remove(file_, ignored);
    }
    sources(const sources&) = delete;
    sources& operator=(const sources&) = delete;

 protected:
    void set(const std::string& name, const std::string& value) {
        ::setenv(name.c_str(), value.c_str(), 1);
        variables_.push_back(name);
    }

    /// Writes a configuration; gives its name.
    std::string configure(std::string_view text) {
        std::ofstream{file_} << text;
        return file_;
    }

    /// Runs `sluice ARGUMENTS` into `options_`; what it says on stderr is in `said_`.
    exit_status run(std::vector<std::string> arguments) {
        commands all{[this](commands& into) { add_commands(into); }};
        all_ = &all;
        ::testing::internal::CaptureStderr();
        const auto status = all.run(std::move(arguments));
        output().flush(30s);
        said_ = ::testing::internal::GetCapturedStderr();
        return status;
    }

    void add_commands(commands& all) {
        auto* talk = all.root().add_subcommand("talk");
        talk->require_subcommand(1);
        auto* serve = talk->add_subcommand("serve");
        add_serve_options(*serve, options_);
        all.on(*serve, [this] {
            ran_ = true;
            if (while_it_runs_) while_it_runs_();
            return exit_status::done;
        });
        auto* join = talk->add_subcommand("join");
        join->add_flag("--loud", ignored_);
        all.on(*join, [] { return exit_status::done; });
        auto* files = all.root().add_subcommand("files");
        auto* files_serve = files->add_subcommand("serve");
        add_value(*files_serve, "--http,--listen", other_.listen, read_address, "ADDRESS", "Where");
        add_serve_options_of_many_listeners(*files_serve, other_, "SLUICE_LISTEN");
        all.on(*files_serve, [this] {
            options_ = other_;
            return exit_status::done;
        });
    }

    /// The level that a server would take over at SIGHUP.
    std::expected<log_level, std::string> log_level_now() {
        options_.level = log_level::info;
        const auto again = all_->read_again();
        if (!again) return std::unexpected{again.error()};
        return options_.level;
    }

    serve_options options_;
    serve_options other_;
    commands* all_ = nullptr;
    bool ignored_ = false;
    bool ran_ = false;
    std::function<void()> while_it_runs_;
    std::string said_;

 private:
    std::vector<std::string> variables_;
    std::string file_ = ::testing::TempDir() + "sluice-" + std::to_string(::getpid()) + ".toml";
};

TEST_F(sources, defaults_stand_where_nothing_is_said) {
    EXPECT_EQ(run({"talk", "serve"}), exit_status::done);
    EXPECT_TRUE(ran_);
    EXPECT_THAT(said_, IsEmpty());
    EXPECT_EQ(options_.listen, "127.0.0.1:5000");
    EXPECT_EQ(options_.grace, 5s);
    EXPECT_FALSE(options_.engine);
    EXPECT_FALSE(options_.quiet);
}

TEST_F(sources, flags_set_everything) {
    EXPECT_EQ(run({"talk", "serve", "--listen", "[::1]:0", "--engine=epoll", "--model", "event",
                   "--workers", "3", "--max-clients", "9", "--quiet", "--log-level", "debug",
                   "--log-format", "json", "--grace", "500ms"}),
              exit_status::done)
        << said_;
    EXPECT_EQ(options_.listen, "[::1]:0");
    EXPECT_EQ(options_.engine, engine_request::epoll);
    EXPECT_EQ(options_.model, model_kind::event);
    EXPECT_EQ(options_.workers, 3U);
    EXPECT_EQ(options_.max_clients, 9U);
    EXPECT_TRUE(options_.quiet);
    EXPECT_EQ(options_.level, log_level::debug);
    EXPECT_EQ(options_.format, log_format::json);
    EXPECT_EQ(options_.grace, 500ms);
}

TEST_F(sources, variables_stand_in_for_flags) {
    set("SLUICE_LISTEN", "7000");
    set("SLUICE_MAX_CLIENTS", "12");
    set("SLUICE_QUIET", "yes");
    EXPECT_EQ(run({"talk", "serve", "--max-clients", "13"}), exit_status::done) << said_;
    EXPECT_EQ(options_.listen, "7000");
    EXPECT_EQ(options_.max_clients, 13U) << "a flag beats a variable";
    EXPECT_TRUE(options_.quiet);
}

TEST_F(sources, each_name_of_a_flag_has_its_variable) {
    set("SLUICE_LISTEN", "7000");
    EXPECT_EQ(run({"files", "serve"}), exit_status::done) << said_;
    EXPECT_EQ(options_.listen, "7000");
    set("SLUICE_HTTP", "7001");
    EXPECT_EQ(run({"files", "serve"}), exit_status::done) << said_;
    EXPECT_EQ(options_.listen, "7001");
    EXPECT_EQ(run({"files", "serve", "--listen", "7002"}), exit_status::done) << said_;
    EXPECT_EQ(options_.listen, "7002");
}

TEST_F(sources, a_level_is_read_again_where_nothing_stronger_gave_it) {
    const auto file = configure("log-level = debug\n");
    while_it_runs_ = [this] {
        EXPECT_EQ(log_level_now(), log_level::debug);
        configure("log-level = warn\n[talk.serve]\nlog-level = error\n");
        EXPECT_EQ(log_level_now(), log_level::error);
        configure("");
        EXPECT_EQ(log_level_now(), log_level::info);
        configure("log-level = much\n");
        EXPECT_FALSE(log_level_now());
    };
    EXPECT_EQ(run({"talk", "serve", "--config", file}), exit_status::done) << said_;
    while_it_runs_ = [this] {
        configure("log-level = debug\n");
        EXPECT_EQ(log_level_now(), log_level::trace);
    };
    EXPECT_EQ(run({"talk", "serve", "--config", configure(""), "--log-level", "trace"}),
              exit_status::done);
}

TEST_F(sources, an_empty_variable_is_none) {
    set("SLUICE_LISTEN", "");
    EXPECT_EQ(run({"talk", "serve"}), exit_status::done) << said_;
    EXPECT_EQ(options_.listen, "127.0.0.1:5000");
}

TEST_F(sources, help_is_no_variable) {
    set("SLUICE_HELP", "1");
    EXPECT_EQ(run({"talk", "serve"}), exit_status::done) << said_;
    EXPECT_TRUE(ran_);
}

TEST_F(sources, a_bad_variable_is_named) {
    set("SLUICE_ENGINE", "fast");
    EXPECT_EQ(run({"talk", "serve"}), exit_status::usage);
    EXPECT_FALSE(ran_);
    EXPECT_EQ(said_,
              "sluice: SLUICE_ENGINE in the environment: 'fast' is none of auto, blocking, epoll "
              "and uring (more: sluice help talk serve)\n");
}

TEST_F(sources, a_bad_variable_does_not_matter_beside_a_flag) {
    set("SLUICE_ENGINE", "fast");
    EXPECT_EQ(run({"talk", "serve", "--engine", "epoll"}), exit_status::done) << said_;
}

TEST_F(sources, a_bad_switch_is_named) {
    set("SLUICE_QUIET", "perhaps");
    EXPECT_EQ(run({"talk", "serve"}), exit_status::usage);
    EXPECT_THAT(said_, HasSubstr("SLUICE_QUIET in the environment: 'perhaps' is neither true nor"));
}

TEST_F(sources, a_file_stands_in_for_variables) {
    const auto file = configure(
        "listen = 7000\nmax-clients = 1\ngrace = 1m\n[talk]\nmax-clients = 2\nengine = epoll\n"
        "[talk.serve]\nmax_clients = 3\nquiet = true\n[files.serve]\nlisten = 1\n");
    set("SLUICE_ENGINE", "uring");
    EXPECT_EQ(run({"talk", "serve", "--config", file, "--grace", "2"}), exit_status::done) << said_;
    EXPECT_EQ(options_.listen, "7000") << "the top is for every command";
    EXPECT_EQ(options_.max_clients, 3U) << "the innermost section wins";
    EXPECT_TRUE(options_.quiet);
    EXPECT_EQ(options_.engine, engine_request::uring) << "a variable beats the file";
    EXPECT_EQ(options_.grace, 2s) << "a flag beats the file";
}

TEST_F(sources, a_variable_may_switch_off_what_the_file_switches_on) {
    set("SLUICE_QUIET", "0");
    EXPECT_EQ(run({"talk", "serve", "--config", configure("quiet = on\n")}), exit_status::done);
    EXPECT_FALSE(options_.quiet);
}

TEST_F(sources, a_variable_may_name_the_file) {
    set("SLUICE_CONFIG", configure("listen = 7000\n"));
    EXPECT_EQ(run({"talk", "serve"}), exit_status::done) << said_;
    EXPECT_EQ(options_.listen, "7000");
}

TEST_F(sources, the_innermost_section_wins_wherever_it_stands) {
    const auto file = configure("[talk.serve]\nlisten = 2\nlisten = 3\n[talk]\nlisten = 1\n");
    EXPECT_EQ(run({"talk", "serve", "--config", file}), exit_status::done) << said_;
    EXPECT_EQ(options_.listen, "3");
}

TEST_F(sources, mistakes_in_the_file_name_file_and_line) {
    const std::initializer_list<std::pair<std::string_view, std::string_view>> mistakes{
        {"\nengine = fast\n", ":2: engine: 'fast' is none of auto"},
        {"quiet = perhaps\n", ":1: quiet: 'perhaps' is neither true nor false"},
        {"\n\nlisen = 1\n", ":3: there is no setting 'lisen'; did you mean listen?"},
        {"[talk.join]\nlisten = 1\n", ":2: there is no setting 'listen'"},
        {"[tolk]\nlisten = 1\n", ":2: there is no command 'tolk'"},
        {"config = x\n", ":1: there is no setting 'config'"},
        {"help = 1\n", ":1: there is no setting 'help'"},
        {"nonsense\n", ":1: 'nonsense' is no setting; write KEY = VALUE"},
    };
    for (const auto& [text, error] : mistakes) {
        const auto file = configure(text);
        EXPECT_EQ(run({"talk", "serve", "--config", file}), exit_status::usage) << text;
        EXPECT_THAT(said_, StartsWith("sluice: " + file + std::string{error}));
        EXPECT_FALSE(ran_);
    }
}

TEST_F(sources, settings_of_other_commands_are_passed_over) {
    const auto file = configure("loud = true\n[talk.join]\nloud = true\n[files]\nengine = epoll\n");
    EXPECT_EQ(run({"talk", "serve", "--config", file}), exit_status::done) << said_;
    EXPECT_FALSE(options_.engine);
}

TEST_F(sources, a_file_that_cannot_be_read_is_said) {
    EXPECT_EQ(run({"talk", "serve", "--config", "/no/such/file"}), exit_status::usage);
    EXPECT_THAT(said_, HasSubstr("cannot read the configuration '/no/such/file': no such file"));
    EXPECT_EQ(run({"talk", "serve", "--config", "/"}), exit_status::usage);
    EXPECT_THAT(said_, HasSubstr("cannot read the configuration '/'"));
}

TEST_F(sources, mistakes_on_the_command_line_are_one_line) {
    const std::initializer_list<std::pair<std::vector<std::string>, std::string_view>> mistakes{
        {{"talk"}, "say what to do: serve or join (more: sluice help talk)"},
        {{"talk", "sreve"}, "there is no 'sreve'; did you mean serve? (more: sluice help talk)"},
        {{"talk", "serve", "--lisen", "1"}, "there is no '--lisen'; did you mean --listen?"},
        {{"talk", "serve", "--lisen=1"}, "there is no '--lisen'; did you mean --listen?"},
        {{"talk", "serve", "5000"}, "'5000' is one word too many"},
        {{"talk", "serve", "--listen"}, "--listen needs a value: ADDRESS"},
        {{"talk", "serve", "--listen", "x"}, "--listen: 'x' has no port; write HOST:PORT"},
        {{"talk", "serve", "--listen", ""}, "--listen: the address is empty"},
        {{"talk", "serve", "--workers", "0"}, "--workers: '0' is no whole number from 1 to 1024"},
        {{"talk", "serve", "--grace", "soon"}, "--grace: 'soon' is no duration"},
        {{"talk", "serve", "--quiet=perhaps"}, "--quiet cannot be 'perhaps'"},
    };
    for (const auto& [arguments, error] : mistakes) {
        EXPECT_EQ(run(arguments), exit_status::usage) << error;
        EXPECT_THAT(said_, StartsWith("sluice: " + std::string{error}));
        EXPECT_EQ(said_.find('\n'), said_.size() - 1) << said_;
        EXPECT_FALSE(ran_);
    }
}

}  // namespace
}  // namespace sluice::cli
