// Implements the fifth step of an upload: gives the file its name, and responds.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <string>

#include "sluice/base/relaxed.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/files/digest_pool.hpp"
#include "sluice/files/server/digest_queue.hpp"
#include "sluice/files/server/http_conditions.hpp"
#include "sluice/files/server/media_type.hpp"
#include "sluice/files/server/put_body.hpp"
#include "sluice/files/server/put_upload.hpp"
#include "sluice/http/content_type.hpp"
#include "sluice/http/percent.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::files {
namespace {

/// Gives up the digest on cancellation, for a client that did not ask for it.
struct cancel_watch : coro::cancel_hook {
    cancel_watch(digest_follower& d, coro::context& within) noexcept
        : cancel_hook{[](cancel_hook& h) noexcept {
              static_cast<cancel_watch&>(h).digest.give_up();
          }},
          digest{d} {
        if (!within.cancelled()) within.watch(*this);
    }

    digest_follower& digest;
};

struct commit_result {
    bool replaced = false;
    struct stat now{};
    std::optional<http::sha256_value> digest;
};

/// Stores the Content-Type of the request, unless the name implies it.
result<void> keep_content_type(const put_upload& put, pending_file& file) {
    const auto type = put.request().field(http::http_field::content_type);
    if (type.empty() || type == http::content_type_of(put.path())) return {};
    return keep_media_type(file.fd(), type);
}

/// Commits the file, if its digest is that of the request, and computes it where `wanted`. Blocks,
/// perhaps for long; any thread. EBADMSG for another digest.
result<commit_result> commit_file(put_upload& put, put_body& body, bool wanted) {
    if (wanted) {
        if (auto same = put.verify_whole(body); !same) return failure(same.error());
    }
    auto& file = body.file();
    const auto& rule = put.mutable_fields().rule;
    if (auto typed = keep_content_type(put, file); !typed) return failure(typed.error());
    const auto replaced = file.commit(put.path(), rule);
    if (!replaced) return failure(replaced.error());
    commit_result k{.replaced = *replaced, .now = {}, .digest = rule.digest};
    const int failed = os::sys().fstat(file.fd(), k.now);
    if (failed < 0) return failure_of(-failed);
    return k;
}

void refuse_commit(put_upload& put, pending_file& file, error why) {
    auto& x = put.exchange();
    // After EBUSY, a retry need not send the bytes of a part again.
    if (!why.is(EBUSY)) file.forget();
    if (why.is(EBADMSG)) {
        put.counting().wrong_digests.fetch_add(1, relaxed);
        x.service().report(
            fmt::format("Refused [Client {}] as {}: its digest is not the one that "
                        "was told; nothing was kept",
                        x.number(), put.path()));
        put.refuse(422, "what arrived has another SHA-256 than was told with it; nothing was kept");
    } else if (why.is(ENOTSUP)) {
        put.refuse(415, "this directory's file system cannot keep a Content-Type: send none");
    } else if (why.is(EEXIST)) {
        put.refuse(412, "the file has changed meanwhile; nothing was kept");
    } else if (why.is(EISDIR) || why.is(ENOTDIR) || why.is(EINVAL)) {
        put.refuse(409, "something that is no file has this name");
    } else if (why.is(ENOENT)) {
        // It was new, and went with the upload that had made it, whose disk failed.
        put.refuse(503, "the directory of this file was removed meanwhile; send the file again");
    } else if (why.is(EXDEV)) {
        put.refuse(409, "another file system was mounted here meanwhile; send the file again");
    } else {
        x.service().report(fmt::format("Refused [Client {}] as {}: {}; nothing was kept",
                                       x.number(), put.path(), why.message()));
        x.response().refuse_for(why);
    }
}

void answer_commit(put_upload& put, const commit_result& k, std::uint64_t size) {
    auto& x = put.exchange();
    put.counting().stored.fetch_add(1, relaxed);
    if (put.base() > 0) {
        put.counting().resumed.fetch_add(1, relaxed);
        x.service().detail(fmt::format("[Client {}] resumed {} at {} of {} bytes", x.number(),
                                       put.path(), put.base(), size));
    }
    auto& to = x.response().reply(k.replaced ? 204 : 201);
    to.add("Location: /").add(http::percent_encode_path(put.path())).add("\r\nETag: ");
    add_entity_tag(to, k.now);
    to.add("\r\n");
    std::string digest;
    if (k.digest) {
        if (put.wants_digest().value_or(true)) {
            to.field("Repr-Digest", http::format_repr_digest(*k.digest));
        }
        digest = fmt::format(" (sha256 {})", http::to_hex(*k.digest));
    }
    if (k.replaced) {
        x.response().end_head();
    } else {
        x.response().end_head(0);
    }
    x.service().report(fmt::format("Received {} bytes from [Client {}] as {}{}", size, x.number(),
                                   put.path(), digest));
}

}  // namespace

coro::task<void> put_upload::commit(put_body& body) {
    const auto size = body.end();
    if (!ends_here()) {
        const auto secured = co_await secure(body);
        if (!secured && secured.error() != fault::cancelled) {
            x_.response().refuse_for(secured.error());
            co_return;
        }
        reply_arrived(308, size);
        x_.response().end_head(0);
        co_return;
    }
    const bool wanted = waits_for_digest(size);
    const auto work = [&] { return commit_file(*this, body, wanted); };
    auto& within = co_await coro::this_context();
    std::optional<cancel_watch> watch;
    if (!promised() && !content()) watch.emplace(body.digest(), within);
    // A long digest does not delay uploads that wait for the disk alone.
    const bool is_long = wanted && body.digest().left(size) > small_digest;
    auto& service = x_.service();
    io::offload_pool& workers = is_long ? service.upload_digests() : service.disk();
    const bool quick = !x_.files().syncs() && size <= small_digest;
    result<commit_result> done = failure(fault::cancelled);
    if (quick) {
        mutable_fields().rule.may_wait = false;
        done = work();
        mutable_fields().rule.may_wait = true;
    }
    if (!quick || (!done && done.error().is(EAGAIN))) {
        done = co_await workers.run(x_.engine(), work);
    }
    if (!done) {
        refuse_commit(*this, body.file(), done.error());
        co_return;
    }
    answer_commit(*this, *done, size);
    if (!done->digest) service.later().add(body.file().fd());
}

}  // namespace sluice::files
