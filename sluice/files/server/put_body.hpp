// The body of an upload on its way into a file, a piece at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/digest_pool.hpp"
#include "sluice/files/server/lasting_transfer.hpp"
#include "sluice/files/server/pending_file.hpp"
#include "sluice/files/server/put_upload.hpp"
#include "sluice/http/chunked.hpp"
#include "sluice/transfer/byte_counter.hpp"
#include "sluice/transfer/reservation.hpp"
#include "sluice/transfer/to_file.hpp"
#include "sluice/transfer/write_behind.hpp"

namespace sluice::files {

/// Writes the pieces to the file; for an upload that is not small, a thread computes the digest of
/// what has arrived, and the disk is made to write it.
class put_body {
 public:
    /// `of` outlives it.
    put_body(put_upload& of, pending_file&& into);
    put_body(const put_body&) = delete;
    put_body& operator=(const put_body&) = delete;
    ~put_body() = default;

    [[nodiscard]] pending_file& file() noexcept { return file_; }
    /// Bytes of the body that are in the file.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return counter_.bytes(); }
    /// Bytes of the file up to there.
    [[nodiscard]] std::uint64_t end() const noexcept { return of_.base() + bytes(); }
    [[nodiscard]] bool is_complete() const noexcept;

    /// Moves bytes of the body that have arrived into the file. False where it needs more to arrive
    /// first; it may have returned the buffers then (http_connection::step_out). EBADMSG for a body
    /// that is not in chunks, EMSGSIZE for one beyond the limit, fault::ended at the end of the
    /// stream, fault::timed_out below the pace; errors of the socket and of the file.
    coro::task<result<bool>> move_piece();
    /// The digest of the file; not started for a small one.
    [[nodiscard]] digest_follower& digest() { return background().digest; }
    /// Takes the file back from the thread that computes its digest.
    void stop_digest() noexcept {
        if (background_) background_->digest.stop();
    }

 private:
    /// Digest and writing behind, for an upload that is not small.
    struct background_work {
        background_work(digest_pool& pool, int file, std::uint64_t base,
                        const transfer::byte_counter& counter, bool writes,
                        io::offload_pool* writers)
            : digest{pool, file, base, counter}, behind{file, base, writes, writers} {}

        digest_follower digest;
        transfer::write_behind behind;
    };

    coro::task<result<bool>> copy_piece();
    coro::task<result<bool>> stream();
    http::chunk_decoder::step decode(std::string_view input, std::string& joined);
    coro::task<result<bool>> move_chunk();
    [[nodiscard]] result<void> end_chunks();
    [[nodiscard]] bool writes_behind() noexcept;
    [[nodiscard]] bool follows_digest() noexcept;
    background_work& background();
    void start_background();

    put_upload& of_;
    pending_file file_;
    transfer::byte_counter counter_;
    transfer::reservation reserved_;
    lasting_transfer going_;
    lasting_transfer::watch clock_;
    std::unique_ptr<background_work> background_;
    std::unique_ptr<http::chunk_decoder> chunks_;
    transfer::shared_pipes::user pipes_;
    bool streams_ = false;     // transfer::receive_file() receives the rest
    bool chunks_end_ = false;  // the last one is in the file
};

}  // namespace sluice::files
