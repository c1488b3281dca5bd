// Heads of HTTP under any bytes and any split: the same verdict, views of the head alone, and what
// the plainest reader of the grammar finds.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/head_refusals.hpp"
#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/http/raw_head.hpp"
#include "sluice/http/request.hpp"
#include "sluice/http/status_line.hpp"
#include "sluice/http/text.hpp"
#include "tests/http/plain_head.hpp"

namespace sluice::fuzz::http_head_target {
namespace {

using namespace sluice::http;
using sluice::check;

constexpr http_head_scanner::limits limits{.line = 200, .head = 1000};

/// What comes of a head: its length, or the status of the refusal; neither while more must come.
struct verdict {
    std::optional<std::size_t> length;
    unsigned status = 0;
    friend bool operator==(const verdict&, const verdict&) = default;
};

verdict scan(const stream& sent) {
    pieces shown{sent};
    http_head_scanner scanner{limits};
    std::string so_far;
    for (auto piece = shown.next(); !piece.empty(); piece = shown.next()) {
        so_far += piece;
        const auto found = scanner.scan(so_far);
        if (!found) return {.length = {}, .status = found.error().status};
        if (*found) return {.length = *found, .status = 0};
    }
    return {};
}

bool within(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

void check_query(std::string_view query) {
    const auto name = query.substr(0, query.find_first_of("=&"));
    const auto value = query_value(query, name);
    check(value.has_value() == query_has(query, name), "a parameter that is there, and is not");
    check(!value || within(*value, query), "a value from elsewhere");
    check(!value || value->find('&') == std::string_view::npos, "a value of two parameters");
}

/// What a log shows of a head, read without a parser.
void check_words(std::string_view head, const http_request& request) {
    const auto words = first_words(head);
    check(words.target == request.target, "another target in the log");
    check(is_token(words.method), "a method in the log that is none");
    for (const auto& [which, name] : sluice::fuzz::field_names) {
        check(raw_field(head, name) == request.field(which), "another field in the log");
    }
}

/// The same target, and the same values of the fields that are read.
void check_same(const http_request& request, const plain_head& plain) {
    check(request.target == plain.target, "another target");
    check(request.is_old == (plain.version == "1.0"), "another version");
    std::vector<std::pair<http_field, std::string_view>> fields;
    for (const auto& [name, value] : plain.fields) {
        for (const auto& [which, known] : sluice::fuzz::field_names) {
            if (same_word(name, known)) fields.emplace_back(which, value);
        }
    }
    check(request.fields == fields, "other fields");
}

}  // namespace

void examine(std::string_view input) {
    const auto sent = stream::of(input);
    const auto whole = same_for_any_split(sent, scan);
    check(whole.length || whole.status != 0 || sent.bytes.size() < limits.head,
          "a head without an end");
    if (!whole.length) return;
    check(*whole.length <= limits.head, "a head beyond its limit");

    const auto head = sent.bytes.substr(0, *whole.length);
    http_request request;
    const auto parsed = parse_request(head, request);
    const auto plain = plain_parse_head(head);
    if (!parsed) {
        const auto why = parsed.error().why;
        check(parsed.error().status >= 400 && !why.empty(), "a refusal says why");
        check(status_line(parsed.error().status)
                  .starts_with(std::to_string(parsed.error().status) + " "),
              "a status without words");
        check(!plain || is_listed(why, head_refusals) || is_listed(why, refusals_of_meaning),
              "what the grammar allows is refused for a reason that is not listed");
        return;
    }
    check(plain.has_value(), "what the grammar does not allow is taken");
    check_same(request, *plain);
    check_words(head, request);
    check(!(request.chunked && request.length), "two ways to tell a body's end");
    check(within(request.target, head), "a target from elsewhere");
    for (const auto& [name, value] : request.fields) {
        check(within(value, head), "a value from elsewhere");
        check(value.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos,
              "a value of several lines");
    }
    const auto target = split_target(request.target);
    if (!target) return;
    check(target->path == "*" || target->path.starts_with('/'), "a path begins with /");
    check_query(target->query);
}

}  // namespace sluice::fuzz::http_head_target
