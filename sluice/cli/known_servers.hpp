// The servers whose certificates the user has confirmed, as ssh keeps known_hosts.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"

namespace sluice::cli {

/// A text file: a line for each server, with its HOST:PORT, a blank and its fingerprint. Other
/// processes may add lines meanwhile. All functions may block.
class known_servers {
 public:
    explicit known_servers(std::string file) : file_{std::move(file)} {}

    /// The fingerprint that stands last for this server; none if it is unknown. Errno of open(2)
    /// or read(2), but for ENOENT.
    [[nodiscard]] result<std::optional<std::string>> find(std::string_view server) const;
    /// Adds a line. Errno of open(2) or write(2).
    [[nodiscard]] result<void> add(std::string_view server, std::string_view fingerprint) const;

    [[nodiscard]] const std::string& file() const noexcept { return file_; }

 private:
    std::string file_;
};

}  // namespace sluice::cli
