// The clients of the world of files: by HTTP, by streams, and the real ones.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/http/response.hpp"
#include "tests/worlds/files_ledger.hpp"
#include "tests/worlds/stage.hpp"
#include "tests/worlds/waiting.hpp"

namespace sluice::worlds {

/// What all clients of a store share.
struct files_scene {
    static constexpr std::uint16_t http_port = 8080;
    static constexpr std::uint16_t raw_port = 5001;

    stage& s;
    file_ledger& ledger;
    /// How long a client waits for a byte.
    std::chrono::milliseconds patience{};
    /// 507 is an answer: the quota or the disk may be full.
    bool may_be_full = false;
    /// Parts need a digest: without extended attributes nothing tells what a power loss has left.
    bool needs_digests = false;
    sim::virtual_time healed_at = -1;  ///< -1 during the load
    unsigned power_losses = 0;         ///< so far

    /// True if a request that began at `since` had no fault in its way.
    [[nodiscard]] bool is_healthy(sim::virtual_time since) const noexcept {
        return healed_at >= 0 && since > healed_at;
    }
};

/// An answer to a request.
struct http_answer {
    http::http_response head;
    std::string body;
    bool is_whole = false;  ///< the body came to its end
};

/// How a request is sent.
struct request_manner {
    bool asks_first = false;            ///< the body waits for 100 (Continue)
    std::optional<std::size_t> most{};  ///< only so many bytes of the body; then a reset,
    bool falls_silent = false;          ///< or nothing more, on a connection that stays open
    std::function<void()> halfway{};    ///< called when half of the body was sent
};

/// A client by HTTP, which keeps its connection when it can. Each function is one request.
class http_speaker {
 public:
    explicit http_speaker(files_scene& scene) noexcept : scene_{scene} {}

    /// `head` without its last empty line, then `body`, in pieces. None if no head of an answer
    /// came.
    std::optional<http_answer> ask(const std::string& head, std::string_view body = {},
                                   const request_manner& how = {});
    /// Closes the connections.
    void leave() noexcept {
        connection_.reset();
        silent_.reset();
    }

 private:
    bool send_in_pieces(std::string_view text);
    std::optional<http_answer> answer(bool has_no_body, bool or_continue);

    files_scene& scene_;
    std::optional<plain_client> connection_;
    std::string arrived_;                 // on it, behind an interim answer
    std::optional<plain_client> silent_;  // with a request of which no more comes
};

/// A client that puts, gets and deletes files, each until it is answered.
class files_client {
 public:
    files_client(files_scene& scene, std::size_t number, unsigned tasks) noexcept
        : scene_{scene}, speaker_{scene}, number_{number}, left_{tasks} {}

    /// The main function of its process.
    void run();
    [[nodiscard]] bool done() const noexcept { return left_ == 0; }
    /// Whom it is waiting for, in words.
    [[nodiscard]] std::string state() const;

 private:
    std::string pick_path();
    void do_one();
    void put_whole(const std::string& path);
    void put_conditionally(const std::string& path);
    void put_beside(const std::string& path);
    void put_parts(const std::string& path);
    bool send_part(const std::string& path, std::size_t& number, const std::string& text,
                   const std::string& digest);
    void put_by_the_program(const std::string& path);
    void get(const std::string& path);
    void get_by_the_program(const std::string& path);
    void remove(const std::string& path);
    void stream();
    std::size_t draw_size();
    enum class outcome {
        over,
        refused,  ///< It has not happened: it may be tried again.
        unsure,   ///< It may have happened, or happen later: the server may be at its sync.
    };
    /// Judges the answer of a write, none if there was none.
    outcome settle(const std::string& path, std::size_t number, const std::optional<http_answer>& a,
                   sim::virtual_time since);
    /// The same; if it is not over, waits a while, and `number` is that of the next attempt.
    bool is_over(const std::string& path, std::size_t& number, const std::optional<http_answer>& a,
                 sim::virtual_time since);

    files_scene& scene_;
    http_speaker speaker_;
    std::size_t number_;
    unsigned left_;
    std::string doing_;
};

/// Another program of the machine, which locks the directory of the store for moments (flock(2)),
/// as one that checks and then renames does, until the healing.
void lock_names(const files_scene& scene, const char* directory);

}  // namespace sluice::worlds
