// Access log: what services tell of each request, transfer, session and question that has ended.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sluice/io/timer.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/shared_object.hpp"

namespace sluice::model {

class session;

/// The kinds of events, by the service that tells them.
enum class access_kind : std::uint8_t {
    request,       ///< of HTTP
    upload,        ///< over the raw door
    offer,         ///< a file that is offered
    session,       ///< of a chat
    conversation,  ///< of talk
    question,      ///< of compute
    last_kind,     ///< the number of kinds
};

/// The name of an event: unique among those of one run of a server.
struct event_id {
    std::uint64_t value = 0;  ///< 0: none

    [[nodiscard]] explicit operator bool() const noexcept { return value != 0; }
    friend bool operator==(event_id, event_id) = default;
};

/// An id as a client and a reader of the log see it: `b7kq2-3f`, or nothing for none.
class event_id_text {
 public:
    explicit event_id_text(event_id of) noexcept;
    [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
    std::array<char, 16> text_{};
    std::size_t size_ = 0;
};

/// An event that has ended. What its views show is needed during access_log::record() alone, and
/// may be any bytes of the client.
struct access_event {
    access_kind kind = access_kind::request;
    event_id id = {};              ///< none: record() gives it one
    net::address client = {};      ///< the announced one of a client behind a trusted proxy
    std::string_view user = {};    ///< its account; empty: none
    std::string_view what = {};    ///< the target, file, room or question
    std::string_view method = {};  ///< of HTTP, as `referrer`, `agent`, `is_old` and `status`
    std::string_view referrer = {};
    std::string_view agent = {};
    bool is_old = false;           ///< HTTP/1.0
    unsigned status = 0;           ///< 0: the client got no whole head of a response
    std::string_view reason = {};  ///< why it failed, in a word or a few; empty: it did not
    std::uint64_t received = 0;    ///< bytes of the client; for HTTP, of the body
    std::uint64_t sent = 0;        ///< bytes to the client; as above
    io::duration took{};

    [[nodiscard]] bool failed() const noexcept { return !reason.empty() || status >= 400; }
};

/// Receives the events of services, which neither format nor write them. Any thread, and forked
/// processes. Events beyond a number a second and kind are counted, not written.
class access_log {
 public:
    struct options {
        std::uint32_t most_per_second = 10'000;  ///< of each kind; 0: any number
        bool forks = false;  ///< processes that are forked from this one record events, too
    };
    struct counters {
        std::atomic<std::uint64_t> written = 0;  ///< given to write()
        std::atomic<std::uint64_t> limited = 0;  ///< left out, beyond most_per_second
    };

    explicit access_log(options o) noexcept;
    access_log(const access_log&) = delete;
    access_log& operator=(const access_log&) = delete;
    virtual ~access_log() = default;

    /// Whether an event that ends about `now` is to be written; counts it. At most once for an
    /// event: where it says yes, write() follows, and record() asks for itself.
    [[nodiscard]] bool admits(access_kind kind, io::time_point now) noexcept;
    /// A new id.
    [[nodiscard]] event_id next_id() noexcept;
    /// Writes an admitted event, soon.
    virtual void write(const access_event& e) noexcept = 0;
    /// Writes an event that ends now, if it is admitted.
    void record(access_event e) noexcept;

    [[nodiscard]] const counters& counted() const noexcept { return shared_->counted; }

 private:
    struct window {
        std::atomic<std::int64_t> second = 0;
        std::atomic<std::uint32_t> count = 0;
    };
    struct shared_state {
        std::atomic<std::uint64_t> next_number = 1;
        std::array<window, static_cast<std::size_t>(access_kind::last_kind)> windows{};
        counters counted;
    };

    options options_;
    std::uint64_t run_;  // bits above those of the number
    shared_if_possible<shared_state> shared_;
};

/// What a service keeps of an event while it lasts.
class access_span {
 public:
    /// Of an event of that client which begins now; without a log nothing is kept.
    explicit access_span(access_log* to, const net::address& client = {}) noexcept;
    /// The same of that session: at the end its client may be gone, and its address with it.
    access_span(access_log* to, const session& client) noexcept;

    /// Whether it will be recorded.
    [[nodiscard]] explicit operator bool() const noexcept { return log_ != nullptr; }
    [[nodiscard]] event_id id() const noexcept { return id_; }
    [[nodiscard]] const net::address& client() const noexcept { return client_; }
    /// Records its end: id and duration of `e` are set here, and its client unless it has one.
    void end(const access_event& e) const noexcept;
    /// The same for an event that `make` returns, which is called if it is to be written.
    template <std::invocable<> Make>
    void end_as(access_kind kind, Make&& make) const noexcept {
        if (log_ == nullptr) return;
        const auto now = io::clock::now();
        if (!log_->admits(kind, now)) return;
        access_event e = make();
        e.kind = kind;
        e.id = id_;
        e.took = now - begun_;
        if (e.client.family() == AF_UNSPEC) e.client = client_;
        log_->write(e);
    }
    /// The same for an event of that session, whose account is set.
    void end(access_event e, const session& client) const noexcept;

 private:
    access_log* log_;
    event_id id_;
    io::time_point begun_;
    net::address client_;
};

}  // namespace sluice::model
