// Implements quotes, lists, near misses, numbers and wrapped paragraphs.
#include "sluice/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include <nlohmann/json.hpp>

#include "sluice/wire/json_string.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::cli {
namespace {

/// How many characters to add, remove, change or swap with the next to make `b` of `a` (the optimal
/// string alignment distance).
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        before.swap(last);
        last.swap(row);
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const auto change = last[j] + (a[i] == b[j] ? 0U : 1U);
            row[j + 1] = std::min({change, last[j + 1] + 1, row[j] + 1});
            const bool swapped = i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
            if (swapped) row[j + 1] = std::min(row[j + 1], before[j - 1] + 1);
        }
    }
    return row.back();
}

/// The most mistakes with which a word is still taken for another: one, or one in three characters.
/// A single character may stand for anything, and the dashes of a flag are no characters of it.
std::size_t most_mistakes(std::string_view word) {
    const auto bare = word.substr(std::min(word.find_first_not_of('-'), word.size()));
    return bare.size() < 2 ? 0 : std::max<std::size_t>(1, bare.size() / 3);
}

}  // namespace

std::string listed(std::span<const std::string_view> words, std::string_view last) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0 && i + 1 == words.size()) {
            text += fmt::format(" {} ", last);
        } else if (i > 0) {
            text += ", ";
        }
        text += words[i];
    }
    return text;
}

std::string_view nearest(std::string_view word, std::span<const std::string> known) {
    constexpr std::size_t longest = 40;
    if (word.size() > longest) return {};
    std::string_view best;
    std::size_t least = most_mistakes(word);
    for (const std::string_view each : known) {
        if (const auto far = distance(word, each); far <= least && (best.empty() || far < least)) {
            best = each;
            least = far;
        }
    }
    return best;
}

std::string grouped(std::uint64_t number) {
    auto text = std::to_string(number);
    for (auto at = text.size(); at > 3;) {
        at -= 3;
        text.insert(at, 1, ',');
    }
    return text;
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
    std::string out;
    std::string line(indent, ' ');
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        const auto word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.size() > indent && line.size() + 1 + word.size() > width) {
            out += line + '\n';
            line.assign(indent, ' ');
        }
        if (line.size() > indent) line += ' ';
        line += word;
    }
    return line.size() > indent ? out + line + '\n' : out;
}

std::string wrapped_command(std::string_view line, std::size_t indent, std::size_t width) {
    constexpr std::size_t further = 2;
    constexpr std::string_view broken = " \\";
    auto lines = wrapped(line, indent + further, width - broken.size());
    lines.erase(0, further);
    const auto last = lines.size() - 1;
    for (auto end = lines.rfind('\n', last - 1); end != std::string::npos;
         end = lines.rfind('\n', end - 1)) {
        lines.insert(end, broken);
    }
    return lines;
}

std::string json_text(const nlohmann::ordered_json& value, int indent) {
    constexpr auto replace = nlohmann::json::error_handler_t::replace;
    return wire::printable_json(value.dump(indent, ' ', false, replace) + '\n');
}

}  // namespace sluice::cli
