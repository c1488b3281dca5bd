// A file of accounts as text: read, changed by a line, and replaced in one step.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::auth {

/// The text of the file, up to 16 MiB. One that others than its owner may read or write is refused.
/// The error is a sentence without its full stop that names the file. May block.
[[nodiscard]] std::expected<std::string, std::string> read_account_file(const std::string& file);

/// `text` with `line`, which has no newline, in place of the line of the account `name`, or at the
/// end if there is none; an empty `line` takes the account out. All else stays as it is.
[[nodiscard]] std::string with_line(std::string_view text, std::string_view name,
                                    std::string_view line);

/// Makes `text` the content of the file in one step: a new file beside it, which its owner alone
/// may read, is written, synced and renamed. `file` is the end of a symbolic link, or none. The
/// owner and group of a file that is replaced stay. After an error nothing has changed, and no file
/// is left behind. Errors: those of open(2), write(2), fchown(2), fsync(2) and rename(2). May
/// block.
[[nodiscard]] result<void> write_account_file(const std::string& file, std::string_view text);

/// Locks the folder of the file against other calls of this function, until the descriptor is
/// closed (flock(2)), so that none changes the file between reading and writing it. An errno of
/// open(2) or flock(2). May block.
[[nodiscard]] result<unique_fd> lock_account_file(const std::string& file);

}  // namespace sluice::auth
