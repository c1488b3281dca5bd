// First bytes of a client at a door that speaks another protocol or TLS alone: recognised the same
// in any split, and answered by one whole response without a word that leads elsewhere.
#include <cstddef>
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/files/server/redirect_to_tls.hpp"
#include "sluice/http/authority.hpp"
#include "sluice/http/raw_head.hpp"
#include "sluice/http/response.hpp"
#include "sluice/http/url.hpp"
#include "sluice/wire/protocol_guess.hpp"

namespace sluice::fuzz::redirect_to_tls_target {
namespace {

using sluice::check;

wire::other_protocol guess(const stream& sent) {
    pieces arriving{sent};
    wire::protocol_guess guess;
    for (auto piece = arriving.next(); !piece.empty(); piece = arriving.next()) guess.feed(piece);
    return guess.found();
}

void check_answer(std::string_view asked, std::string_view answer) {
    http::http_response_reader reader{asked.starts_with("HEAD ")};
    std::string body;
    check(reader.feed(answer).has_value() && reader.has_head(), "an answer that is no head");
    check(reader.feed_body("", body).has_value() && reader.finish().has_value(),
          "an answer that breaks off");
    check(reader.head().fields.size() == 4 && reader.take_rest().empty(),
          "a field or an answer of the client's");
    const auto place = reader.head().field("location");
    check(place.has_value() == (reader.head().status == 308), "a redirection to nowhere");
    if (!place) return;
    check(place->starts_with("https://"), "a redirection that is not to TLS");
    const auto authority = place->substr(8, place->find('/', 8) - 8);
    check(authority == http::raw_field(asked, "host"), "a redirection to another host");
    // The same target: only what stands in a URL at all could be another one elsewhere.
    const auto read = http::parse_url(*place);
    check(!read || !http::is_authority(authority) || read->authority.starts_with(authority),
          "a redirection to a host that is none");
}

}  // namespace

void examine(std::string_view input) {
    const auto sent = stream::of(input);
    const auto found = same_for_any_split(sent, guess);
    const auto answer = files::redirect_to_tls(sent.bytes);
    check(answer.empty() == (found != wire::other_protocol::http), "an answer to what is no HTTP");
    if (!answer.empty()) check_answer(sent.bytes, answer);
}

}  // namespace sluice::fuzz::redirect_to_tls_target
