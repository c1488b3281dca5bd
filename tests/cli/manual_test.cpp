// The description of the commands that help, manual and completions share: every command has a
// text, every example can be parsed, and what the texts say of choices and defaults is true.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <ranges>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/cli/commands.hpp"
#include "sluice/cli/config.hpp"
#include "sluice/cli/manual/command_page.hpp"
#include "sluice/cli/manual/completions.hpp"
#include "sluice/cli/manual/help_page.hpp"
#include "sluice/cli/manual/man_page.hpp"
#include "sluice/cli/subcommands.hpp"

namespace sluice::cli {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class manual : public ::testing::Test {
 public:
    manual() { pages_ = read_pages(all_.root()); }

    [[nodiscard]] CLI::App& root() { return all_.root(); }
    [[nodiscard]] const std::vector<command_page>& pages() const { return pages_; }
    [[nodiscard]] const command_page& page(std::string_view path) const {
        return *std::ranges::find(pages_, path, &command_page::path);
    }

 private:
    commands all_{add_all};
    std::vector<command_page> pages_;
};

TEST_F(manual, every_command_has_a_text_and_every_text_a_command) {
    EXPECT_GT(pages().size(), 30U);
    for (const auto& each : pages()) {
        EXPECT_FALSE(each.text->about.empty()) << each.path;
        EXPECT_FALSE(each.text->examples.empty()) << each.path;
        EXPECT_FALSE(each.text->statuses.empty()) << each.path;
        EXPECT_FALSE(each.summary.empty()) << each.path;
    }
    for (const auto& text : all_texts()) {
        EXPECT_EQ(std::ranges::count(pages(), text.path, &command_page::path), 1) << text.path;
    }
}

TEST_F(manual, a_hidden_command_has_no_page) {
    EXPECT_EQ(std::ranges::count(pages(), "manual", &command_page::path), 0);
    EXPECT_THAT(help_page(root(), 80), Not(HasSubstr("Write the manual")));
    EXPECT_EQ(find_below(root(), "manual"), nullptr);
}

/// The command lines of sluice in a line of a shell, without the program's name.
std::vector<std::vector<std::string>> command_lines_in(const std::string& line) {
    static const std::regex command{"(^|[ (])sluice( [^|<>)]*|$)"};
    std::vector<std::vector<std::string>> found;
    for (std::sregex_iterator at{line.begin(), line.end(), command}, end; at != end; ++at) {
        std::vector<std::string> words;
        for (const auto each : std::views::split((*at)[2].str(), ' ')) {
            std::string word{each.begin(), each.end()};
            std::erase(word, '\'');
            if (!word.empty()) words.push_back(word);
        }
        found.push_back(words);
    }
    return found;
}

/// Why the command line cannot be parsed; empty if it can.
std::string why_not(std::vector<std::string> words) {
    commands all{add_all};
    std::ranges::reverse(words);
    try {
        all.root().parse(words);
    } catch (const CLI::ParseError& mistake) {
        return mistake.what();
    }
    return {};
}

TEST_F(manual, every_example_is_a_command_line_of_its_command) {
    for (const auto& each : pages()) {
        for (const auto& [what, line] : each.text->examples) {
            EXPECT_FALSE(what.empty() || what.ends_with('.')) << line;
            const auto found = command_lines_in(std::string{line});
            EXPECT_FALSE(found.empty()) << line;
            for (const auto& words : found) EXPECT_EQ(why_not(words), "") << line;
        }
    }
    EXPECT_NE(why_not({"chat", "serve", "--no-such-flag"}), "");
    EXPECT_NE(why_not({"chat", "serve", "--history", "many"}), "");
    EXPECT_EQ(command_lines_in("tar c a | sluice files put - http://x/ > log").size(), 1U);
}

TEST_F(manual, the_configuration_in_the_page_names_keys_that_there_are) {
    const auto entries = parse_config(example_config());
    ASSERT_TRUE(entries) << entries.error().what;
    EXPECT_GT(entries->size(), 3U);
    for (const auto& entry : *entries) {
        if (entry.section.empty()) continue;
        const auto* option = page(entry.section).find_option("--" + entry.key);
        ASSERT_NE(option, nullptr) << entry.section << ' ' << entry.key;
        const auto value = option->takes_value() ? '=' + entry.value : std::string{};
        auto words = command_lines_in("sluice " + entry.section).front();
        words.push_back("--" + entry.key + value);
        if (entry.section == "files serve") words.emplace_back("store");
        EXPECT_EQ(why_not(words), "") << entry.key;
    }
}

TEST_F(manual, an_option_knows_its_names_value_choices_and_variable) {
    const auto* model = page("chat serve").find_option("--model");
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->usage(), "--model NAME");
    EXPECT_EQ(model->variable, "SLUICE_MODEL");
    EXPECT_EQ(model->value, value_kind::choice);
    EXPECT_THAT(model->choices, ::testing::ElementsAre("sync", "fork", "thread", "pool", "event"));
    const auto* output = page("files get").find_option("-o");
    ASSERT_NE(output, nullptr);
    EXPECT_EQ(output->usage(), "-o, --output FILE");
    EXPECT_EQ(output->value, value_kind::file);
    const auto* window = page("chat serve").find_option("--window");
    ASSERT_NE(window, nullptr);
    EXPECT_EQ(window->default_value, "1M");
    EXPECT_EQ(window->value, value_kind::text);
    EXPECT_TRUE(page("chat serve").find_option("--operators")->repeats);
    EXPECT_EQ(page("chat serve").find_option("--quiet")->value, value_kind::none);
    EXPECT_EQ(page("chat serve").find_option("--chroot")->value, value_kind::directory);
    EXPECT_EQ(page("chat serve").find_option("--help")->variable, "");
    EXPECT_EQ(page("token").find_option("--auth")->variable, "") << "it is required";
    EXPECT_TRUE(page("lab download").find_option("--write-config")->value_may_lack);
    EXPECT_EQ(page("passwd").operands.front().value, value_kind::file);
    EXPECT_EQ(page("files serve").operands.front().value, value_kind::directory);
}

TEST_F(manual, a_synopsis_says_what_must_be_given) {
    EXPECT_EQ(page("").synopsis(), "sluice [OPTIONS] COMMAND");
    EXPECT_EQ(page("token").synopsis(), "sluice token --auth FILE [OPTIONS] NAME");
    EXPECT_EQ(page("help").synopsis(), "sluice help [OPTIONS] [COMMAND...]");
    EXPECT_EQ(page("files put").synopsis(), "sluice files put [OPTIONS] FILE... URL");
}

/// The default that a text gives in parentheses at its end, if it is a word: "1M" of "Its size (1M;
/// 2M at night)".
std::string default_in(const std::string& text) {
    static const std::regex last{"\\(([^ ();]+?)(|[;:] [^()]*)\\)"};
    std::smatch found;
    return std::regex_search(text, found, last) ? found[1].str() : std::string{};
}

TEST_F(manual, defaults_in_texts_are_those_that_count) {
    std::size_t compared = 0;
    for (const auto& each : pages()) {
        for (const auto& option : each.options) {
            const auto told = default_in(option.text);
            if (told.empty() || option.default_value.empty()) continue;
            EXPECT_EQ(told, option.default_value) << each.path << ' ' << option.usage();
            ++compared;
        }
    }
    EXPECT_GT(compared, 60U);
}

TEST_F(manual, choices_stand_in_the_texts) {
    for (const auto& each : pages()) {
        for (const auto& option : each.options) {
            for (const auto& choice : option.choices) {
                EXPECT_THAT(option.text, HasSubstr(choice)) << each.path << ' ' << option.usage();
            }
        }
    }
}

TEST_F(manual, choices_stand_in_the_completions) {
    const auto completed = completed_pages(root());
    for (const auto make : {bash_completion, zsh_completion, fish_completion}) {
        const auto script = make(completed);
        for (const auto& each : completed) {
            for (const auto& option : each.options) {
                std::string all;
                for (const auto& choice : option.choices) all += (all.empty() ? "" : " ") + choice;
                EXPECT_THAT(script, HasSubstr(all)) << each.path << ' ' << option.usage();
            }
        }
    }
}

TEST_F(manual, help_goes_to_the_words_of_every_command) {
    const auto completed = completed_pages(root());
    const auto behind = [&completed](std::string_view path) {
        std::vector<std::string> names;
        const auto found = std::ranges::find(completed, path, &command_page::path);
        if (found == completed.end()) return names;
        for (const auto& each : found->commands) names.push_back(each.name);
        return names;
    };
    EXPECT_THAT(behind("help"), Contains("chat"));
    EXPECT_THAT(behind("help chat"), Contains("serve"));
    EXPECT_THAT(behind("help lab load"), Contains("echo"));
    EXPECT_EQ(std::ranges::count(completed, "help", &command_page::path), 1);
}

TEST(completion, is_short_and_quoted) {
    option_entry option;
    option.text = "Largest head of a request (16K)";
    EXPECT_EQ(in_short(option), "Largest head of a request");
    option.text = "HOST:PORT or PORT; port 0 picks one (5000)";
    EXPECT_EQ(in_short(option), "HOST:PORT or PORT");
    option.text = "bar, json (on stderr) or none (bar)";
    EXPECT_EQ(in_short(option), "bar, json (on stderr) or none");
    EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
}

}  // namespace
}  // namespace sluice::cli
