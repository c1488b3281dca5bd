// Tells the requests that a foreign web page has a browser send from those of a server's visitors.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sluice/http/request.hpp"

namespace sluice::http {

/// A browser lends a page its user's place in the network. Two things tell on it: a page whose name
/// was bound to this machine's address after it was loaded (DNS rebinding) asks for a host that
/// this server is not, and a page from elsewhere is named by Origin (RFC 6454) and Sec-Fetch-Site
/// (Fetch Metadata), neither of which a page can change. Not changed while a server runs, so any
/// thread may ask.
class visitor_origin {
 public:
    /// `hosts`: names of this server beside those that it knows; pages of these hosts are its own.
    /// `pages`: origins that may do what its own pages may, `https://example.org`; `*` is each.
    /// `machine`: the name of this machine.
    visitor_origin(std::vector<std::string> hosts, std::vector<std::string> pages,
                   std::string machine);

    /// Whether a request for this authority, a valid HOST or HOST:PORT, is for this server: for an
    /// IP address, which no page can be rebound to; for a name without a dot or below localhost,
    /// which no stranger can have in the DNS; or for a name of this machine.
    [[nodiscard]] bool is_for_us(std::string_view authority) const noexcept;
    /// Whether a page of another origin made the browser send it. False where no browser did.
    [[nodiscard]] bool is_foreign(const http_request& request) const noexcept;
    /// The value of Access-Control-Allow-Origin for this request (Fetch, section 3.3): its origin
    /// if that is one of `pages`, else empty. Valid as long as this and the request.
    [[nodiscard]] std::string_view allowed_page(const http_request& request) const noexcept;

    /// Why `text` is no value of `pages`: a sentence without its full stop; empty if it is one.
    [[nodiscard]] static std::string why_no_page(std::string_view text);

 private:
    [[nodiscard]] bool is_our_host(std::string_view host) const noexcept;

    std::vector<std::string> hosts_;
    std::vector<std::string> pages_;
};

}  // namespace sluice::http
