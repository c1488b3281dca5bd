// Chunked bodies under any bytes and any split: the same body, and nothing that was not sent.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/base/check.hpp"
#include "sluice/http/chunked.hpp"

namespace {

using sluice::check;
using sluice::http::chunk_decoder;

struct decoded {
    std::string body;
    std::string trailer;
    std::size_t taken = 0;
    bool ended = false;
    bool wrong = false;
    friend bool operator==(const decoded&, const decoded&) = default;
};

decoded decode(std::string_view bytes, std::string_view steps) {
    chunk_decoder decoder;
    decoded out;
    for (std::size_t i = 0; out.taken < bytes.size(); ++i) {
        const std::size_t step =
            steps.empty() ? bytes.size()
                          : 1 + (static_cast<std::uint8_t>(steps[i % steps.size()]) & 31U);
        auto shown = bytes.substr(out.taken, step);
        for (;;) {
            const auto found = decoder.next(shown);
            check(found.taken <= shown.size(), "more was taken than there was");
            out.body += found.data;
            out.taken += found.taken;
            shown.remove_prefix(found.taken);
            if (found.what == chunk_decoder::found::end) {
                out.ended = true;
                out.trailer = decoder.repr_digest();
                return out;
            }
            if (found.what == chunk_decoder::found::mistake) {
                out.wrong = true;
                // Where it was noticed does not matter.
                out.taken = 0;
                return out;
            }
            if (found.what == chunk_decoder::found::nothing) break;
        }
        check(shown.empty(), "something was left that is neither more nor the end");
    }
    return out;
}

}  // namespace

/// The first byte says how many of those behind it are the steps; the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes are what text is made of
    std::string_view bytes{reinterpret_cast<const char*>(data), size};
    const std::size_t count = std::min<std::size_t>(bytes.front() & 7, size - 1);
    const auto steps = bytes.substr(1, count);
    bytes.remove_prefix(1 + count);

    const auto whole = decode(bytes, {});
    check(decode(bytes, steps) == whole, "a split changes what a body is");
    check(whole.body.size() + whole.trailer.size() <= bytes.size(), "more came out than went in");
    return 0;
}
