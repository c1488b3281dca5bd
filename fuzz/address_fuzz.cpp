// Addresses under any text: read, written and read again, or refused with words.
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/net/address.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::address_target {

void examine(std::string_view text) {
    const auto why_not = net::why_no_address(text);
    check(wire::is_printable(why_not), "a refusal that a terminal obeys");
    check(why_not.empty() || why_not.back() != '.', "a refusal with its full stop");
    const auto found = net::address::parse(text);
    if (!found) return;
    check(why_not.empty(), "an address, and a reason why it is none");
    const auto written = found->to_string();
    check(wire::is_printable(written), "an address that a terminal obeys");
    // The size of what the kernel is handed.
    check(net::address::from(found->data(), found->size()) == *found, "another address as bytes");
    check(found->with_port(0).with_port(found->port()) == *found, "a port that moves the host");
    // A path whose bytes a terminal would obey is written for people.
    if (found->is_unix() && !wire::is_printable(text)) return;
    const auto again = net::address::parse(written);
    check(again && again->to_string() == written, "an address that changes when it is read again");
    // An IPv4 address on an IPv6 socket is written as what it is (RFC 4291, section 2.5.5.2).
    check(again->family() != found->family() || *again == *found, "another address");
}

}  // namespace sluice::fuzz::address_target
