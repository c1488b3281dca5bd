// Copy load: copies a file once.
#pragma once

#include <expected>
#include <string>

#include "sluice/lab/load/outcome.hpp"
#include "sluice/transfer/copy.hpp"

namespace sluice::lab {

struct copy_options {
    std::string from;
    std::string to;  ///< created or overwritten
    transfer::copy how = transfer::copy::automatic;
};

/// `amount` is bytes; the copy is not synced. Runs on the calling thread; the error is a sentence
/// without its full stop.
[[nodiscard]] std::expected<outcome, load_failure> copy(const copy_options& o);

}  // namespace sluice::lab
