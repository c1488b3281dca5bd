// Why this server refuses heads of requests that others take, and the names of the fields it reads.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "sluice/http/request.hpp"

namespace sluice::fuzz {

/// The sentence of a refusal, and the reason for it.
struct head_refusal {
    std::string_view why;
    std::string_view reason;
};
inline constexpr std::array head_refusals{
    head_refusal{"a line of the head begins with a blank", "obs-fold: RFC 9112, section 5.2"},
    head_refusal{"a field that may be said once is said twice", "RFC 9110, section 5.3"},
    head_refusal{"Host is one host and, behind a colon, a port, and nothing else",
                 "RFC 9112, section 3.2"},
    head_refusal{"HTTP/1.1 has a Host field", "RFC 9112, section 3.2"},
    head_refusal{"HTTP/1.0 has no Transfer-Encoding", "RFC 9112, section 6.1"},
    head_refusal{"of transfer codings, only chunked is known here", "RFC 9112, section 6.1"},
    head_refusal{"of transfer codings, chunked is the last and is said once",
                 "RFC 9112, section 6.1"},
    head_refusal{"a length and chunks at once: which of them counts is not known",
                 "RFC 9112, section 6.3"},
    head_refusal{"Content-Length is one number", "a list of equal lengths: RFC 9110, section 8.6"},
    head_refusal{"Content-Length is more than any file can have, 2^63 - 1 bytes",
                 "RFC 9110, section 15.5.14"},
    head_refusal{"only 100-continue can be expected here", "RFC 9110, section 10.1.1"},
};

/// Of a head that its grammar allows, besides: what Boost.Beast refuses, too.
inline constexpr std::array refusals_of_meaning{
    head_refusal{"this server speaks HTTP/1.1 and HTTP/1.0", "RFC 9110, section 15.6.6"},
    head_refusal{"Content-Length is one number, and none beside Transfer-Encoding",
                 "RFC 9112, section 6.3"},
    head_refusal{"Transfer-Encoding is chunked, without a Content-Length", "RFC 9112, section 6.3"},
    // Of Connection and Proxy-Connection, which are lists of tokens.
    head_refusal{"a field's value has a character it may not", "RFC 9110, section 7.6.1"},
};

[[nodiscard]] inline bool is_listed(std::string_view why, const auto& refusals) noexcept {
    return std::ranges::find(refusals, why, &head_refusal::why) != std::ranges::end(refusals);
}

/// The fields that this server reads.
inline constexpr std::array field_names{
    std::pair{http::http_field::accept, std::string_view{"accept"}},
    std::pair{http::http_field::connection, std::string_view{"connection"}},
    std::pair{http::http_field::content_digest, std::string_view{"content-digest"}},
    std::pair{http::http_field::content_encoding, std::string_view{"content-encoding"}},
    std::pair{http::http_field::content_length, std::string_view{"content-length"}},
    std::pair{http::http_field::content_range, std::string_view{"content-range"}},
    std::pair{http::http_field::content_type, std::string_view{"content-type"}},
    std::pair{http::http_field::expect, std::string_view{"expect"}},
    std::pair{http::http_field::host, std::string_view{"host"}},
    std::pair{http::http_field::if_match, std::string_view{"if-match"}},
    std::pair{http::http_field::if_modified_since, std::string_view{"if-modified-since"}},
    std::pair{http::http_field::if_none_match, std::string_view{"if-none-match"}},
    std::pair{http::http_field::if_range, std::string_view{"if-range"}},
    std::pair{http::http_field::if_unmodified_since, std::string_view{"if-unmodified-since"}},
    std::pair{http::http_field::origin, std::string_view{"origin"}},
    std::pair{http::http_field::range, std::string_view{"range"}},
    std::pair{http::http_field::repr_digest, std::string_view{"repr-digest"}},
    std::pair{http::http_field::authorization, std::string_view{"authorization"}},
    std::pair{http::http_field::sec_fetch_site, std::string_view{"sec-fetch-site"}},
    std::pair{http::http_field::transfer_encoding, std::string_view{"transfer-encoding"}},
    std::pair{http::http_field::want_repr_digest, std::string_view{"want-repr-digest"}},
    std::pair{http::http_field::x_forwarded_for, std::string_view{"x-forwarded-for"}},
};

}  // namespace sluice::fuzz
