// Which of stdin, stdout and stderr the program was given, and nobody else in their places.
#pragma once

namespace sluice::cli {

/// What was open when the program began.
struct standard_streams {
    bool in = true;
    bool out = true;
    bool err = true;
};

/// Opens /dev/null in the place of each that is closed, so that no socket or file that is opened
/// later gets its number, and with it what others write to stderr. To be called before anything is
/// opened; the answer is that of the first call.
const standard_streams& settle_standard_streams() noexcept;

}  // namespace sluice::cli
