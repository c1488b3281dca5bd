// Implements the functions that make transfer errors.
#include "sluice/files/client/transfer_error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace sluice::files {
namespace {

std::unexpected<transfer_error> of(transfer_error_kind kind, const std::string& doing, error e,
                                   bool may_pass) {
    if (e == fault::cancelled) {
        return std::unexpected{
            transfer_error{.kind = transfer_error_kind::cancelled, .what = "interrupted"}};
    }
    return std::unexpected{
        transfer_error{.kind = kind, .what = doing + ": " + e.message(), .may_pass = may_pass}};
}

}  // namespace

std::unexpected<transfer_error> of_connection(const std::string& doing, error e) {
    return of(transfer_error_kind::unreachable, doing, e, true);
}

std::unexpected<transfer_error> of_disk(const std::string& doing, error e) {
    return of(transfer_error_kind::failed, doing, e, false);
}

std::unexpected<transfer_error> failed(std::string what) {
    return std::unexpected{
        transfer_error{.kind = transfer_error_kind::failed, .what = std::move(what)}};
}

bool is_of_disk(error e) noexcept {
    constexpr std::array codes{ENOSPC, EDQUOT, EFBIG, EIO, EROFS, EISDIR, EBADF, EINVAL, ENOMEM};
    return std::ranges::any_of(codes, [e](int code) { return e.is(code); });
}

}  // namespace sluice::files
