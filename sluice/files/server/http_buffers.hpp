// Buffers of one HTTP request, leased from a free list per thread; an idle connection has none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/http/request.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::files {

struct visitor;

/// What the access log is told of a request at its end.
struct told_request {
    model::access_span span{nullptr};
    std::uint64_t received = 0;    ///< of its body
    std::uint64_t sent = 0;        ///< of the body of the response
    unsigned status = 0;           ///< 0: there is no response
    std::string_view reason = {};  ///< why its client is not known; static
};

/// Leased while a connection processes a request, in memory that is mapped for them: only pages
/// that are used are touched, and all of them are the kernel's again when it is freed. From the
/// heap they would be pages that others have touched, and what others need longer would come to lie
/// between.
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): clearing it would touch every page
struct http_buffers {
    static constexpr std::size_t in_size = std::size_t{64} * 1024;
    static constexpr std::size_t out_size = std::size_t{64} * 1024;

    std::array<char, in_size> in;
    std::array<char, out_size> out;
    http::http_request request;
    std::string path;
    told_request told;
    std::shared_ptr<const files::visitor> visitor;  ///< whose request it is
    mapping memory;                                 ///< in which all of this lies
};

/// State of a connection that waits in the middle of a request without buffers: the bytes received
/// and not consumed, exactly allocated, and the parsed head, if it is complete.
struct http_stub {
    std::unique_ptr<char[]> in;
    http::http_request request;
    std::string path;
    std::unique_ptr<told_request> told;  ///< null without an access log
    std::shared_ptr<const files::visitor> visitor;
};

/// Returns buffers to the free list of this thread.
struct free_list_deleter {
    void operator()(http_buffers* buffers) const noexcept;
};
using leased_buffers = std::unique_ptr<http_buffers, free_list_deleter>;

/// Leases the buffers used last on this thread, or new ones; nullptr without memory. They still
/// hold the data of an earlier request.
[[nodiscard]] leased_buffers lease_buffers() noexcept;

}  // namespace sluice::files
