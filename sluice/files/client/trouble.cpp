// Puts errors into words.
#include "sluice/files/client/trouble.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace sluice::files {
namespace {

std::unexpected<trouble> of(trouble_kind kind, const std::string& doing, error e, bool may_pass) {
    if (e == fault::cancelled) {
        return std::unexpected{trouble{.kind = trouble_kind::cancelled, .what = "interrupted"}};
    }
    return std::unexpected{
        trouble{.kind = kind, .what = doing + ": " + e.message(), .may_pass = may_pass}};
}

}  // namespace

std::unexpected<trouble> of_connection(const std::string& doing, error e) {
    return of(trouble_kind::unreachable, doing, e, true);
}

std::unexpected<trouble> of_disk(const std::string& doing, error e) {
    return of(trouble_kind::failed, doing, e, false);
}

std::unexpected<trouble> failed(std::string what) {
    return std::unexpected{trouble{.kind = trouble_kind::failed, .what = std::move(what)}};
}

bool is_of_disk(error e) noexcept {
    constexpr std::array codes{ENOSPC, EDQUOT, EFBIG, EIO, EROFS, EISDIR, EBADF, EINVAL, ENOMEM};
    return std::ranges::any_of(codes, [e](int code) { return e.is(code); });
}

}  // namespace sluice::files
