// Asks the accounts of a server who a client is: guesses are slowed down, and hashing is done off
// the loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/auth/accounts.hpp"
#include "sluice/auth/credentials.hpp"
#include "sluice/auth/failure_limit.hpp"
#include "sluice/auth/password_cache.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/io/record_layer.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/shared_object.hpp"

namespace sluice::auth {

/// A client that is known, or one without a name.
struct identity {
    std::string name = {};                 ///< empty: without a name
    std::vector<std::string> rights = {};  ///< of its account
    std::optional<std::vector<std::string>> narrowed =
        std::nullopt;  ///< of its token, if it has one

    /// Whether the account, and the token if there is one, have this very word.
    [[nodiscard]] bool has(std::string_view right) const noexcept;
};

/// Why a client is not known.
enum class login_refusal : std::uint8_t {
    none,
    wrong,      ///< no such account, password or token
    too_often,  ///< its address has failed too often, and has to wait
    busy,       ///< as many passwords as may wait to be checked are waiting
    no_memory,
};

/// "wrong name, password or token".
[[nodiscard]] std::string_view to_text(login_refusal why) noexcept;
/// The same in a few words, for a log: "wrong login".
[[nodiscard]] std::string_view in_brief(login_refusal why) noexcept;

/// Who a client is, or why that is not known.
using login = std::expected<std::shared_ptr<const identity>, login_refusal>;

/// Counters of an authenticator, in all threads and forked processes.
struct login_counters {
    std::atomic<std::uint64_t> admitted = 0;   ///< by a password or a token
    std::atomic<std::uint64_t> hashed = 0;     ///< passwords that had to be hashed
    std::atomic<std::uint64_t> wrong = 0;      ///< names, passwords or tokens
    std::atomic<std::uint64_t> too_often = 0;  ///< refused unheard: too many failures before
};

/// The accounts as the doors of a server ask them. Any thread; a forked child has its own memory of
/// passwords and failures.
class authenticator {
 public:
    /// `report` is told, once a minute at most, that logins were refused; must not throw.
    authenticator(accounts known, std::function<void(std::string_view)> report);
    authenticator(const authenticator&) = delete;
    authenticator& operator=(const authenticator&) = delete;
    ~authenticator();

    /// Other accounts from now on. Clients that are in stay as they are.
    void replace(accounts known);

    /// Clients without a name; the same object until replace().
    [[nodiscard]] std::shared_ptr<const identity> anonymous() const noexcept;
    /// The account of the name that a client's certificate has proved (io::record_layer), which has
    /// said nothing; null if there is none. Throws std::bad_alloc.
    [[nodiscard]] std::shared_ptr<const identity> proved(const io::record_layer* layer) const;
    /// The names of the accounts. Throws std::bad_alloc.
    [[nodiscard]] std::vector<std::string> names() const;

    /// Who a client at this address is by what it says; none stands for what could not be read. No
    /// result if a password has to be hashed first: check() does that.
    [[nodiscard]] std::optional<login> check_now(const std::optional<credentials>& said,
                                                 const net::address& from) noexcept;
    /// The same for a password, off the loop, in some 50 ms of a core.
    [[nodiscard]] coro::task<login> check(io::engine& engine, credentials said, net::address from);
    [[nodiscard]] const login_counters& counted() const noexcept { return *counters_; }

 private:
    struct state;

    [[nodiscard]] std::shared_ptr<const state> now() const noexcept { return state_.load(); }
    [[nodiscard]] login admit(std::shared_ptr<const identity> who) noexcept;
    [[nodiscard]] login refuse_unheard() noexcept;
    [[nodiscard]] login refuse(login_refusal why, std::string_view name, const net::address& from);

    std::function<void(std::string_view)> report_;
    std::atomic<std::shared_ptr<const state>> state_;
    password_cache cache_;
    failure_limit failures_;
    shared_if_possible<login_counters> counters_;
    std::atomic<std::uint64_t> refused_ = 0;  // since the last report
    std::atomic<std::int64_t> reported_at_;   // os::clock, nanoseconds
    // One thread: guesses take turns, whatever their number.
    io::offload_pool hashers_{{.workers = 1, .queue = 64}};
};

}  // namespace sluice::auth
