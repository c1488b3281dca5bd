// Accepts connections from a listening socket, as a stream.
#pragma once

#include <cstdint>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"
#include "sluice/io/stream.hpp"

namespace sluice::io {

/// How far connections are accepted before anybody asks for them.
enum class accepting : std::uint8_t {
    ahead,       ///< as they come, on an engine that can
    one_by_one,  ///< never more than was asked for: the others wait in the backlog
};

/// accept4(2) again and again. Each socket is closed on exec, and non-blocking if its engine wants
/// that. An error (EMFILE ...) ends one question, not the stream: the next asks again.
class accept_stream final : public stream<accept_stream, unique_fd> {
 public:
    accept_stream(engine& home, int fd, accepting how = accepting::ahead);

    [[nodiscard]] bool has_news() const noexcept { return next_ < accepted_.size() || error_ != 0; }
    [[nodiscard]] result<unique_fd> take() noexcept;
    /// Closes what was accepted and not taken.
    void drop() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static verdict complete(op& o, const completion& c) noexcept;
    static const op_kind kind_;

    // The kernel may accept as many as completions fit in one turn before anybody takes them.
    std::vector<unique_fd> accepted_;
    std::size_t next_ = 0;
    int error_ = 0;
    accepting how_;
};

}  // namespace sluice::io
