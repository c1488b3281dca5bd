// Who asks over HTTP, by a password or a token, and what each may do.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/auth/accounts.hpp"
#include "sluice/auth/failure_limit.hpp"
#include "sluice/auth/password_cache.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/server/permissions.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/net/address.hpp"

namespace sluice::files {

/// A client that is known, or one without a name.
struct visitor {
    std::string name;                     ///< empty: without a name
    permissions allowed;                  ///< of its account
    std::optional<permissions> narrowed;  ///< of its token, if it came with one

    /// As permissions::allows(): what the account and the token allow.
    [[nodiscard]] bool allows(operation what, std::string_view path) const noexcept {
        return allowed.allows(what, path) && (!narrowed || narrowed->allows(what, path));
    }
};

/// Why a client is not known.
enum class login_refusal : std::uint8_t {
    none,
    wrong,      ///< no such account, password or token
    too_often,  ///< its address has failed too often, and has to wait
    no_memory,
};

/// The visitor that a request is of, or why it is of none.
using login = std::expected<std::shared_ptr<const visitor>, login_refusal>;

/// Accounts as the HTTP service asks them. Any thread; a forked child has its own memory of
/// passwords and failures.
class visitors {
 public:
    /// `report` is told, once a minute at most, that logins were refused; must not throw.
    visitors(auth::accounts known, std::function<void(std::string_view)> report);
    visitors(const visitors&) = delete;
    visitors& operator=(const visitors&) = delete;
    ~visitors();

    /// Other accounts from now on. Requests that have begun keep what they were let.
    void replace(auth::accounts known);

    /// The visitor with this value of Authorization (RFC 9110, section 11.6.2), which is empty for
    /// one without a name, at this address. None if a password has to be hashed first: identify()
    /// does that.
    [[nodiscard]] std::optional<login> identify_now(std::string_view field,
                                                    const net::address& from) noexcept;
    /// The same off the loop, in some 50 ms of a core.
    [[nodiscard]] coro::task<login> identify(io::engine& engine, std::string field,
                                             net::address from);

 private:
    struct state;

    [[nodiscard]] std::shared_ptr<const state> now() const noexcept { return state_.load(); }
    [[nodiscard]] login refuse(login_refusal why, std::string_view name, const net::address& from);

    std::function<void(std::string_view)> report_;
    std::atomic<std::shared_ptr<const state>> state_;
    auth::password_cache cache_;
    auth::failure_limit failures_;
    std::atomic<std::uint64_t> refused_ = 0;
    std::atomic<std::int64_t> reported_at_;  // io::clock, nanoseconds
    // One thread: guesses take turns, whatever their number.
    io::offload_pool hashers_{{.workers = 1, .queue = 64}};
};

}  // namespace sluice::files
