// A PUT that only asks how far an earlier upload is: it has `Content-Range: bytes */TOTAL`.
#pragma once

#include "sluice/coro/task.hpp"
#include "sluice/files/server/http_exchange.hpp"
#include "sluice/http/request.hpp"

namespace sluice::files {

[[nodiscard]] bool asks_progress(const http::http_request& request);
/// Responds with the bytes that have arrived (308), or that the whole file is here (204).
coro::task<void> answer_progress(http_exchange& x);

}  // namespace sluice::files
