// The pool model: a fixed number of threads, each request to the next free one.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "sluice/io/session_set.hpp"
#include "sluice/model/model.hpp"

namespace sluice::model {

/// The server accepts. Each session has its own engine, which any thread can run, and waits for its
/// client, to receive or to send, in a set that all threads share (io::session_set). So many
/// clients share few threads, request by request; a client that stalls holds none of them, and one
/// that is always ready takes turns with the others.
class pool final : public server {
 public:
    pool(io::engine& engine, std::vector<endpoint> endpoints, server_options o);
    ~pool() override;

 private:
    class runnable;
    class worker;

    coro::task<result<void>> serve() override;
    void pass_on(stage now) noexcept override;

    [[nodiscard]] result<void> start_workers();
    coro::task<result<void>> receive(arrival client);

    std::unique_ptr<io::session_set> sessions_;
    std::list<worker> workers_;
};

}  // namespace sluice::model
