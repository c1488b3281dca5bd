// One upload by PUT: what its head asks for, and the five steps that it passes.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/server/http_exchange.hpp"
#include "sluice/files/server/pending_file.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/http/range.hpp"

namespace sluice::files {

class put_body;

/// Small, for it is held while the client is awaited. A step that fails has written the response,
/// or has ended the connection.
class put_upload {
 public:
    /// Bytes. Up to here the digest is computed at the end; above, a thread computes it meanwhile.
    static constexpr std::uint64_t small_digest = std::uint64_t{1} << 20;

    /// Fields that few heads have, and the state that follows from them.
    struct rare_fields {
        std::optional<http::sha256_value> promised;  // of the whole file (Repr-Digest)
        std::optional<http::sha256_value> content;   // of this body (Content-Digest)
        std::optional<http::content_range> range;
        commit_rule rule;
        std::string_view mistake;  // of a body that is not in chunks: a sentence
    };

    /// `x` outlives it.
    explicit put_upload(http_exchange& x) noexcept : x_{x} {}
    put_upload(const put_upload&) = delete;
    put_upload& operator=(const put_upload&) = delete;
    ~put_upload() = default;

    // The steps.

    /// Looks at the fields of the head, the file that has the name now, and the conditions. False
    /// if they were refused.
    [[nodiscard]] bool check_request();
    /// Opens the file that takes the bytes, where there is space for them; space is claimed as the
    /// body arrives. Waits for another upload of the same file. nullptr if it was refused.
    coro::task<std::unique_ptr<put_body>> reserve();
    /// Receives the body into the file. False if it did not arrive completely, or could not be
    /// written.
    coro::task<bool> receive(put_body& body);
    /// Compares the digest of the body of a part. False if it is another.
    coro::task<bool> verify(put_body& body);
    /// Verifies the digest of the whole file, gives the file its name, and responds. A part that
    /// is not the last stays to be resumed.
    coro::task<void> commit(put_body& body);

    // Beside the steps.

    /// Makes the bytes of a part durable that ends here; others stay as they are. Errors of the
    /// file, which is then forgotten; fault::cancelled.
    coro::task<result<void>> secure(put_body& body);

    /// Reserves, and gives back at once: tested before the client sends the body, during whose wait
    /// no file is held.
    coro::task<bool> can_reserve();
    /// For the job of commit(): computes the digest of the whole file while the disk writes, and
    /// compares it. EBADMSG for another digest; errors of the file. Blocks, perhaps for long.
    [[nodiscard]] result<void> verify_whole(put_body& body);

    // What the head asks for.

    [[nodiscard]] http_exchange& exchange() noexcept { return x_; }
    [[nodiscard]] const http::http_request& request() const noexcept { return x_.request(); }
    [[nodiscard]] std::string_view path() const noexcept { return x_.path(); }
    [[nodiscard]] const http_options& options() const noexcept { return x_.service().options(); }
    [[nodiscard]] http_counters& counting() noexcept { return x_.service().counting(); }

    [[nodiscard]] const rare_fields& fields() const noexcept;
    [[nodiscard]] rare_fields& mutable_fields();
    [[nodiscard]] const std::optional<http::sha256_value>& promised() const noexcept {
        return fields().promised;
    }
    [[nodiscard]] const std::optional<http::sha256_value>& content() const noexcept {
        return fields().content;
    }
    [[nodiscard]] const std::optional<http::content_range>& range() const noexcept {
        return fields().range;
    }
    /// Bytes of the whole file, if known.
    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept {
        return range() ? range()->total : request().length;
    }
    /// Offset of the body in the file.
    [[nodiscard]] std::uint64_t base() const noexcept {
        return range() ? range()->part->offset : 0;
    }
    /// Id of the upload: the same for the same bytes, sent again to the same path.
    [[nodiscard]] std::string key() const;
    /// Whether the file is complete with this body.
    [[nodiscard]] bool ends_here() const noexcept {
        return !range() || range()->part->last() + 1 == *range()->total;
    }
    /// Whether the response waits for the digest of a file of so many bytes, which is computed
    /// while the disk writes.
    [[nodiscard]] bool waits_for_digest(std::uint64_t size) const noexcept;
    /// Whether the client wants the digest; none if it does not say.
    [[nodiscard]] std::optional<bool> wants_digest() const noexcept;

    /// Whether the bytes stay if the rest does not arrive. Known after reserve().
    [[nodiscard]] bool is_resumable() const noexcept { return resumable_; }

    // Refusals.

    /// Responds with a sentence; false.
    bool refuse(unsigned status, std::string_view why);
    bool refuse_too_large();
    /// Begins a response about a part, of which so many bytes have arrived.
    reply_text& reply_arrived(unsigned status, std::uint64_t bytes);

 private:
    coro::task<std::optional<pending_file>> open_file();
    [[nodiscard]] bool check_head();
    [[nodiscard]] bool check_type();
    [[nodiscard]] bool check_target();
    void recheck_on_commit(const struct stat* found);
    [[nodiscard]] bool can_hold(pending_file& file);

    http_exchange& x_;
    std::unique_ptr<rare_fields> fields_;
    bool resumable_ = false;
};

}  // namespace sluice::files
