// What visitors may do to the files of a store, by path.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::files {

/// What needs a permission. Of a server without accounts all may read.
enum class operation : std::uint8_t {
    read,
    upload,     ///< a file of a new name
    overwrite,  ///< a file in the place of another
    remove,
};

/// Grants of operations, each for a path and all below it. What was not granted is refused. Not
/// changed while a server runs, so any thread may ask.
class permissions {
 public:
    /// All operations, everywhere.
    [[nodiscard]] static permissions everything();

    /// Grants `what` for `path`, a decoded path below the store without a slash at either end, and
    /// for all below it; for everything where it is empty. `overwrite` grants `upload`, too.
    void grant(operation what, std::string path);
    /// The same from WHAT or WHAT:/PATH, where WHAT is read, upload, overwrite, delete or all. The
    /// error is a sentence without its full stop; nothing is granted then.
    [[nodiscard]] std::expected<void, std::string> grant(std::string_view text);

    /// Whether `what` may be done to the file of this decoded path; of a directory: to all in it.
    [[nodiscard]] bool allows(operation what, std::string_view path) const noexcept;
    /// Whether all that `other` grants is granted here.
    [[nodiscard]] bool cover(const permissions& other) const noexcept;
    /// Whether nothing is granted.
    [[nodiscard]] bool empty() const noexcept { return grants_.empty(); }
    /// All grants but those to read, for people: "upload below /inbox, delete". Empty if there are
    /// none.
    [[nodiscard]] std::string description() const;

 private:
    struct entry {
        operation what;
        std::string path;
    };
    std::vector<entry> grants_;
};

}  // namespace sluice::files
