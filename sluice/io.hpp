// Everything of the coroutine I/O runtime that a program is meant to include (docs/library.md).
#pragma once

#include "sluice/base/bytes.hpp"             // IWYU pragma: export
#include "sluice/base/result.hpp"            // IWYU pragma: export
#include "sluice/coro/channel.hpp"           // IWYU pragma: export
#include "sluice/coro/context.hpp"           // IWYU pragma: export
#include "sluice/coro/scope.hpp"             // IWYU pragma: export
#include "sluice/coro/task.hpp"              // IWYU pragma: export
#include "sluice/io/barrier.hpp"             // IWYU pragma: export
#include "sluice/io/deadline.hpp"            // IWYU pragma: export
#include "sluice/io/engine.hpp"              // IWYU pragma: export
#include "sluice/io/make_engine.hpp"         // IWYU pragma: export
#include "sluice/io/offload.hpp"             // IWYU pragma: export
#include "sluice/io/remote.hpp"              // IWYU pragma: export
#include "sluice/io/run.hpp"                 // IWYU pragma: export
#include "sluice/io/shard.hpp"               // IWYU pragma: export
#include "sluice/io/signals.hpp"             // IWYU pragma: export
#include "sluice/net/address.hpp"            // IWYU pragma: export
#include "sluice/net/connection.hpp"         // IWYU pragma: export
#include "sluice/net/dial.hpp"               // IWYU pragma: export
#include "sluice/net/framed.hpp"             // IWYU pragma: export
#include "sluice/net/listener.hpp"           // IWYU pragma: export
#include "sluice/os/fd.hpp"                  // IWYU pragma: export
#include "sluice/transfer/byte_counter.hpp"  // IWYU pragma: export
#include "sluice/transfer/copy.hpp"          // IWYU pragma: export
#include "sluice/transfer/to_file.hpp"       // IWYU pragma: export
#include "sluice/transfer/to_socket.hpp"     // IWYU pragma: export
