// Lines for stdout from any thread, none of which ever waits for whoever reads them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "sluice/service/chat/transcript.hpp"

namespace sluice::cli {

/// A thread that writes what it is given to a descriptor. What comes while too much is waiting is
/// dropped, and counted in a line of its own; what comes after a failed write is dropped, too.
class line_printer final : public service::chat::transcript {
 public:
    /// At most `most` bytes wait. `fd` stays the caller's. Throws std::system_error where no thread
    /// can be started.
    explicit line_printer(int fd, std::size_t most = std::size_t{1} << 20);
    /// Writes what waits, unless the descriptor takes nothing for `patience`.
    ~line_printer();

    /// Any thread.
    void add(std::string_view lines) noexcept override;

 private:
    void work();
    bool write_all(std::string_view text) noexcept;

    int fd_;
    std::size_t most_;
    std::mutex mutex_;
    std::condition_variable news_;
    std::string waiting_;
    std::uint64_t dropped_ = 0;
    bool broken_ = false;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace sluice::cli
