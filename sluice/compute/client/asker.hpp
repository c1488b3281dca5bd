// Asks a request-reply server: many clients, each with one question at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/compute/client/latencies.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/address.hpp"

namespace sluice::compute {

struct asking {
    std::vector<net::address> where;  ///< addresses of one host, tried in order
    std::string question;
    unsigned clients = 1;
    std::uint64_t requests = 1;                       ///< questions each client asks
    bool reconnect = false;                           ///< a connection for each question
    io::duration timeout = std::chrono::seconds{60};  ///< for a connection, and for an answer
    std::size_t max_line = std::size_t{1} << 20;      ///< longest answer, in bytes
};

/// What came of it.
struct asked {
    std::optional<std::string> answer;   ///< the first
    std::optional<std::string> refusal;  ///< the first word that stands for no answer
    std::uint64_t answered = 0;
    /// By kind: a refusal (compute::refusal), what the connection ran into, `another answer`.
    std::map<std::string, std::uint64_t> errors;
    latencies took;  ///< from asking to the answer, connecting included where each question does
    io::duration elapsed{};
    bool reached = false;  ///< somebody answered a call
    bool lost = false;  ///< a connection could not be had, broke off, or brought no answer in time
};

/// Thread of its engine.
class asker {
 public:
    asker(io::engine& home, asking what);
    asker(const asker&) = delete;
    asker& operator=(const asker&) = delete;
    ~asker() = default;

    /// Asks until all was asked, or until stop(). Once. `progress` is called ten times a second
    /// with the number of questions that are over.
    [[nodiscard]] coro::task<asked> run(std::function<void(std::uint64_t)> progress);
    /// The engine's thread, also before run().
    void stop() noexcept;

 private:
    coro::task<void> ask_all();
    coro::task<void> be_client();
    coro::task<std::uint64_t> ask_over(unique_fd socket, std::uint64_t left, io::time_point since);
    coro::task<result<unique_fd>> call();
    coro::task<void> report(const std::function<void(std::uint64_t)>& progress);
    void take(std::string_view answer, io::duration took);
    void fail(error why);

    io::engine& home_;
    asking what_;
    asked so_far_;
    std::string line_;
    std::uint64_t over_ = 0;
    bool stopped_ = false;
    std::optional<coro::context> everything_;
};

}  // namespace sluice::compute
