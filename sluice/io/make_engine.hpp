// Factory of engines: makes one of a given kind, and chooses the kind for this kernel.
#pragma once

#include <memory>
#include <string>

#include "sluice/base/result.hpp"
#include "sluice/io/engine.hpp"

namespace sluice::io {

/// The chosen engine, and the reason.
struct engine_choice {
    engine_kind kind = engine_kind::epoll;  ///< for make_engine()
    /// Empty, or why io_uring is not used: a sentence for people.
    std::string reason;
};

/// io_uring where it works, else epoll with the reason. Probes the kernel once per process.
[[nodiscard]] const engine_choice& automatic_engine();

/// Makes an engine for the calling thread. Errno of the kernel, such as EPERM for io_uring in many
/// containers; ENOMEM.
[[nodiscard]] result<std::unique_ptr<engine>> make_engine(engine_kind kind,
                                                          const engine_options& o = {}) noexcept;

}  // namespace sluice::io
