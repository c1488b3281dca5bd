// Implements the fourth step of an upload: the digests of a part, and of the whole file.
#include <cerrno>
#include <cstdint>

#include "sluice/base/planted_bug.hpp"
#include "sluice/base/relaxed.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/files/digest_pool.hpp"
#include "sluice/files/server/put_body.hpp"
#include "sluice/files/server/put_upload.hpp"
#include "sluice/os/thread.hpp"

namespace sluice::files {
namespace {

/// Finishes the digest while the disk writes: the caller waits for the longer of the two.
result<http::sha256_value> finish_digest(put_body& body) {
    os::background_job disk;
    if (body.digest().left(body.end()) > put_upload::small_digest) {
        disk.start([&body] { return body.file().write_out(); });
    }
    auto value = body.digest().finish(body.end());
    // The kernel reports a write error only once (fsync(2)).
    if (auto written = disk.wait(); !written) return failure(written.error());
    return value;
}

}  // namespace

/// Where the part does not match its Content-Digest (RFC 9530, section 2), truncates the file to
/// where the part began.
coro::task<bool> put_upload::verify(put_body& body) {
    if (!range() || !content()) co_return true;
    auto made = co_await x_.service().upload_digests().run(
        x_.engine(), [this, &body]() -> result<http::sha256_value> {
            running_digest part{base()};
            if (auto read = part.go_to(body.file().fd(), body.end()); !read) {
                return failure(read.error());
            }
            return part.finish();
        });
    if (!made) {
        x_.response().refuse_for(made.error());
        co_return false;
    }
    if (*made == *content()) co_return true;
    counting().wrong_digests.fetch_add(1, relaxed);
    if (os::sys().ftruncate(body.file().fd(), base()) < 0) body.file().forget();
    co_return refuse(422, "the part that arrived has another SHA-256 than Content-Digest tells");
}

result<void> put_upload::verify_whole(put_body& body) {
    auto& rule = mutable_fields().rule;
    // An attempt before, which would have had to wait, has made it.
    if (rule.digest) return {};
    const auto value = finish_digest(body);
    if (!value) {
        // Given up, for a client that did not ask for it.
        if (value.error() == fault::cancelled) return {};
        return failure(value.error());
    }
    const bool compares = promised() && !planted(bug::files_digest_not_compared);
    if (compares && *promised() != *value) return failure_of(EBADMSG);
    if (content() && !range() && *content() != *value) return failure_of(EBADMSG);
    rule.digest = *value;
    return {};
}

}  // namespace sluice::files
