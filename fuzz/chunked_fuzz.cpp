// Chunked bodies under any bytes and any split: the same body, and nothing that was not sent.
#include <cstddef>
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/http/chunked.hpp"

namespace sluice::fuzz::chunked_target {
namespace {

using sluice::check;
using sluice::http::chunk_decoder;

struct decoded {
    std::string body;
    std::string repr_digest;
    std::string content_digest;
    std::size_t taken = 0;
    bool ended = false;
    bool wrong = false;
    friend bool operator==(const decoded&, const decoded&) = default;
};

decoded decode(const stream& sent) {
    pieces shown{sent};
    chunk_decoder decoder;
    decoded out;
    for (auto piece = shown.next(); !piece.empty(); piece = shown.next()) {
        while (!piece.empty()) {
            const auto found = decoder.next(piece);
            check(found.taken <= piece.size(), "more was taken than there was");
            out.body += found.data;
            out.taken += found.taken;
            piece.remove_prefix(found.taken);
            if (found.what == chunk_decoder::found::end) {
                out.ended = true;
                out.repr_digest = decoder.repr_digest();
                out.content_digest = decoder.content_digest();
                check(decoder.given() == out.body.size(), "miscounted");
                return out;
            }
            if (found.what == chunk_decoder::found::mistake) {
                out.wrong = true;
                // Where it was noticed does not matter.
                out.taken = 0;
                return out;
            }
            check(found.what != chunk_decoder::found::nothing || piece.empty(),
                  "something was left that is neither more nor the end");
        }
    }
    return out;
}

}  // namespace

void examine(std::string_view input) {
    const auto sent = stream::of(input);
    const auto whole = same_for_any_split(sent, decode);
    check(whole.body.size() + whole.repr_digest.size() + whole.content_digest.size() <=
              sent.bytes.size(),
          "more came out than went in");
}

}  // namespace sluice::fuzz::chunked_target
