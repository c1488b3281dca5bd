// Headers of the PROXY protocol: no byte behind one changes it, and no cut makes another of it.
#include <algorithm>
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/bytes.hpp"
#include "sluice/base/check.hpp"
#include "sluice/wire/proxy_header.hpp"

namespace sluice::fuzz::proxy_header_target {
namespace {

bool same(const wire::proxy_header& a, const wire::proxy_header& b) {
    return a.state == b.state && a.is_certain == b.is_certain && a.size == b.size &&
           a.source == b.source && a.host == b.host && a.port == b.port;
}

}  // namespace

void examine(std::string_view text) {
    using enum wire::proxy_header_state;
    const auto found = wire::read_proxy_header(as_bytes(text));
    const auto longer = wire::read_proxy_header(as_bytes(std::string{text} + "x"));
    switch (found.state) {
        case complete:
            check(found.is_certain && found.size <= text.size(), "a header longer than its bytes");
            check(found.size <= wire::longest_proxy_header, "a header beyond the limit");
            check(same(found, wire::read_proxy_header(as_bytes(text.substr(0, found.size)))),
                  "a header that what follows it changes");
            break;
        case incomplete:
            check(found.size > text.size(), "more is needed, and less than there is");
            check(found.size <= wire::longest_proxy_header, "more is needed than the limit");
            return;
        case absent: check(!found.is_certain, "the signature of a header that is none"); break;
        case malformed:
        case too_long: check(found.is_certain, "a refusal of a client's own bytes"); break;
    }
    check(same(found, longer), "one byte more, and it is another");
    // A beginning of a header says that there is more, up to the size that it names.
    const auto known =
        found.state == complete ? found.size : std::min<std::size_t>(text.size(), 64);
    for (std::size_t size = 0; size < known; ++size) {
        const auto part = wire::read_proxy_header(as_bytes(text.substr(0, size)));
        if (found.state == complete) {
            check(part.state == incomplete, "a part of a header that asks for no more");
            check(part.size <= found.size, "a part of a header that asks for what follows it");
        } else {
            check(part.state == incomplete || same(part, found), "a part is something else");
        }
    }
}

}  // namespace sluice::fuzz::proxy_header_target
