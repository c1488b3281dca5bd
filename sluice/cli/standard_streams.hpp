// Finds which of stdin, stdout and stderr are open, and opens /dev/null for the others.
#pragma once

namespace sluice::cli {

/// The streams that were open when the program began.
struct standard_streams {
    bool in = true;
    bool out = true;
    bool err = true;
};

/// Opens /dev/null in place of each closed stream, so that no later socket or file gets its number,
/// and with it the text for stderr. Call it before anything is opened; later calls return the
/// result of the first.
const standard_streams& settle_standard_streams() noexcept;

}  // namespace sluice::cli
