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
    ahead,  ///< as they come, on an engine that can
    /// Never more than was asked for: the others wait in the backlog. Each question is one
    /// accept4(2) on the calling thread, on every engine, so that as many are accepted in a turn as
    /// are asked for within its budget; io_uring only polls, once the backlog is empty.
    one_by_one,
};

/// accept4(2) again and again. Each socket is closed on exec, and non-blocking if its engine wants
/// that. An error (EMFILE ...) ends one question, not the stream: the next asks again. `fd` is
/// non-blocking where connections are accepted one by one.
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
    static const op_kind one_by_one_;

    // The kernel may accept as many as completions fit in one turn before anybody takes them.
    std::vector<unique_fd> accepted_;
    std::size_t next_ = 0;
    int error_ = 0;
};

}  // namespace sluice::io
