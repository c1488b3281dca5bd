// Answers over HTTP under any bytes: any split of them reads the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/base/check.hpp"
#include "sluice/http/response.hpp"

namespace {

using namespace sluice::http;
using sluice::check;

struct outcome {
    unsigned status = 0;
    std::size_t fields = 0;
    std::string body;
    bool done = false;
    bool good = true;
    friend bool operator==(const outcome&, const outcome&) = default;
};

outcome read(std::string_view text, std::size_t step) {
    http_response_reader reader;
    outcome o;
    while (o.good && !text.empty()) {
        const auto piece = text.substr(0, step);
        text.remove_prefix(piece.size());
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
    o.status = reader.head().status;
    o.fields = reader.head().fields.size();
    return o;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes are what text is made of
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto whole = read(text, size);
    for (const std::size_t step : {1UZ, 2UZ, 3UZ, 7UZ, 64UZ}) {
        check(read(text, step) == whole, "two splits of the same bytes read differently");
    }
    return 0;
}
