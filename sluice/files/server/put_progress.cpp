// Implements the answer to a client that asks how far its upload is.
#include "sluice/files/server/put_progress.hpp"

#include <algorithm>
#include <cstdint>

#include "sluice/files/server/beneath.hpp"
#include "sluice/files/server/http_conditions.hpp"
#include "sluice/files/server/http_digest.hpp"
#include "sluice/files/server/put_upload.hpp"

namespace sluice::files {

bool asks_progress(const http::http_request& request) {
    const auto range = http::parse_content_range(request.field(http::http_field::content_range));
    return range && !range->part;
}

coro::task<void> answer_progress(http_exchange& x) {
    put_upload put{x};
    if (!put.check_request()) co_return;
    // Refused, for the body would stand between this request and the next.
    if (put.request().chunked || put.request().length.value_or(0) > 0) {
        put.refuse(400, "who asks how far an upload is sends nothing with it");
        co_return;
    }
    const auto arrived = x.files().arrived(put.path(), put.key());
    if (put.promised()) {
        auto found = x.files().read(put.path());
        if (found && size_of(found->now) == *put.range()->total) {
            auto digest = kept_digest(found->file.get(), found->now);
            if (!digest) {
                digest = co_await make_digest_for(x, found->file.get(), found->now);
                if (x.lost()) co_return;
            }
            if (digest == put.promised()) {
                const auto synced = co_await on_disk(
                    x.service(), x.engine(), [&] { return x.files().sync_name(put.path()); });
                if (!synced) {
                    x.response().refuse_for(synced.error());
                    co_return;
                }
                add_entity_tag(x.response().reply(204).add("ETag: "), found->now);
                x.out().add("\r\n").field("Repr-Digest", http::format_repr_digest(*digest));
                x.response().end_head();
                co_return;
            }
        }
    }
    // Of a complete part, the client sends the last byte again: that ends the upload.
    put.reply_arrived(308, std::min(arrived, *put.range()->total - 1));
    x.response().end_head(0);
}

}  // namespace sluice::files
