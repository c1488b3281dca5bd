// Answers over HTTP under any bytes: any split of them reads the same.
#include <cstddef>
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/http/response.hpp"
#include "sluice/http/status_line.hpp"
#include "sluice/http/text.hpp"

namespace sluice::fuzz::http_response_target {
namespace {

using namespace sluice::http;
using sluice::check;

struct outcome {
    http_response head;
    std::string body;
    std::string rest;
    bool done = false;
    bool good = true;
    friend bool operator==(const outcome& a, const outcome& b) {
        return a.head.status == b.head.status && a.head.reason == b.head.reason &&
               a.head.fields == b.head.fields && a.head.length == b.head.length &&
               a.head.chunked == b.head.chunked && a.head.keep_alive == b.head.keep_alive &&
               a.body == b.body && a.rest == b.rest && a.done == b.done && a.good == b.good;
    }
};

outcome read(const stream& sent, bool no_body) {
    pieces arriving{sent};
    http_response_reader reader{no_body};
    outcome o;
    for (auto piece = arriving.next(); o.good && !piece.empty(); piece = arriving.next()) {
        if (!reader.has_head()) {
            o.good = reader.feed(piece).has_value();
            if (o.good && reader.has_head()) o.good = reader.feed_body("", o.body).has_value();
        } else {
            o.good = reader.feed_body(piece, o.body).has_value();
        }
    }
    o.done = reader.done();
    if (o.good && !o.done) o.good = reader.finish().has_value();
    // What a broken answer held before it broke depends on the pieces, and no caller uses it.
    if (!o.good) {
        outcome broken;
        broken.good = false;
        return broken;
    }
    o.head = reader.head();
    o.rest = reader.take_rest();
    return o;
}

/// Transfer-Encoding is chunked, said once, or is not there; and then there is no length (RFC 9112,
/// section 6.3).
void check_framing(const http_response& head) {
    std::size_t codings = 0;
    for (const auto& [name, value] : head.fields) {
        if (!same_word(name, "transfer-encoding")) continue;
        ++codings;
        check(same_word(value, "chunked"), "a body in a coding that is not known");
    }
    check(codings == (head.chunked ? 1 : 0), "a coding that is not seen, or said twice");
    check(!head.chunked || !head.length, "two ways to tell a body's end");
}

}  // namespace

/// The fourth bit of the first byte: it answers a HEAD.
void examine(std::string_view input) {
    const bool no_body = !input.empty() && (static_cast<unsigned char>(input.front()) & 8U) != 0;
    const auto whole = same_for_any_split(stream::of(input),
                                          [no_body](const stream& s) { return read(s, no_body); });
    if (!whole.good) return;
    check_framing(whole.head);
    const auto status = status_line(whole.head.status);
    check(status.starts_with(std::to_string(whole.head.status) + " ") || status.starts_with("500 "),
          "a status with the words of another");
    check(!no_body || whole.body.empty(), "a body where there is none");
}

}  // namespace sluice::fuzz::http_response_target
