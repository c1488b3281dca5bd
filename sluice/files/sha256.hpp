// SHA-256 of bytes in memory, at once or piece by piece.
#pragma once

#include <memory>
#include <string_view>

#include "sluice/base/bytes.hpp"
#include "sluice/http/digest_field.hpp"

struct evp_md_ctx_st;

namespace sluice::files {

/// Incremental SHA-256. The constructor throws std::bad_alloc.
class sha256_sum {
 public:
    sha256_sum();

    void add(const_bytes bytes) noexcept;
    /// Copies the state of `other`. False without memory: nothing has changed then.
    [[nodiscard]] bool become(const sha256_sum& other) noexcept;
    /// The digest of all bytes added. Called once.
    [[nodiscard]] http::sha256_value finish() noexcept;

 private:
    struct deleter {
        void operator()(evp_md_ctx_st* state) const noexcept;
    };

    std::unique_ptr<evp_md_ctx_st, deleter> state_;
};

/// The SHA-256 of `text`. Throws std::bad_alloc.
[[nodiscard]] http::sha256_value sha256_of(std::string_view text);

}  // namespace sluice::files
