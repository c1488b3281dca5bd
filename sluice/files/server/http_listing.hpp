// HTTP responses that list a directory, or the partial uploads.
#pragma once

#include "sluice/coro/task.hpp"
#include "sluice/files/server/http_exchange.hpp"

namespace sluice::files {

/// Responds with the directory at the path of the request, or the page of it that its query names.
coro::task<void> answer_folder(http_exchange& x, bool json);
/// Responds with the partial uploads of the store, as JSON: `{"parts":[{"id":"...","path":"/a",
/// "size":1000,"total":5000,"modified":"2026-11-22T10:00:00Z","active":false}]}`.
coro::task<void> answer_parts(http_exchange& x);

}  // namespace sluice::files
