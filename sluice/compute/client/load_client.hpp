// Defines load_client: clients that load a request-reply server, each with one request at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/auth/credentials.hpp"
#include "sluice/base/histogram.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/tls/client_context.hpp"

namespace sluice::compute {

struct load_client_options {
    std::vector<net::address> where;              ///< of one host, tried in order
    tls::client_context* over = nullptr;          ///< outlives the client; null: in the clear
    std::optional<auth::credentials> login = {};  ///< said to the server before all else
    std::string question;
    unsigned clients = 1;
    std::uint64_t requests = 1;                       ///< questions per client
    bool reconnect = false;                           ///< a connection per question
    io::duration timeout = std::chrono::seconds{60};  ///< to connect, and for an answer
    std::size_t max_line = std::size_t{1} << 20;      ///< of an answer, in bytes
};

/// Answers, errors and latencies of one run.
struct load_client_result {
    std::optional<std::string> answer;   ///< the first answer
    std::optional<std::string> refusal;  ///< the first refusal (compute::refusal)
    std::uint64_t answered = 0;
    /// Counts by kind: a refusal, an error of a connection, `another answer`.
    std::map<std::string, std::uint64_t> errors;
    /// From a question to its answer, with `reconnect` including the connect.
    histogram took;
    io::duration elapsed{};
    bool reached = false;  ///< a connection was made
    bool lost = false;     ///< a connect failed, a connection broke, or an answer was late
};

/// Asks the same question from many connections. Thread of its engine.
class load_client {
 public:
    load_client(io::engine& engine, load_client_options options);
    load_client(const load_client&) = delete;
    load_client& operator=(const load_client&) = delete;
    ~load_client() = default;

    /// Runs until all questions are answered or failed, or until stop(). Once. Calls `progress` ten
    /// times per second with the number of finished questions.
    [[nodiscard]] coro::task<load_client_result> run(std::function<void(std::uint64_t)> progress);
    /// Cancels run(). The engine's thread, also before run().
    void stop() noexcept;

 private:
    coro::task<void> ask_all();
    coro::task<void> run_client();
    coro::task<std::uint64_t> ask_on_connection(net::connection& server, std::uint64_t left,
                                                io::time_point since);
    /// Reports its failure itself: then there is none.
    coro::task<std::unique_ptr<net::connection>> connect();
    coro::task<void> report(const std::function<void(std::uint64_t)>& progress);
    void record_answer(std::string_view answer, io::duration took);
    void record_failure(error why);
    void record_failure(const std::string& why);
    /// Ends the run: the server refuses this login.
    void record_refusal(const std::string& why);

    io::engine& engine_;
    load_client_options options_;
    load_client_result result_;
    std::string line_;
    std::uint64_t finished_ = 0;
    bool stopped_ = false;
    std::optional<coro::context> root_;
};

}  // namespace sluice::compute
