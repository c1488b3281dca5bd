// Who asks over HTTP, by the field Authorization, and what each may do.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/auth/authenticator.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/server/permissions.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/record_layer.hpp"
#include "sluice/net/address.hpp"

namespace sluice::files {

/// A client that is known, or one without a name.
struct visitor {
    std::shared_ptr<const auth::identity> who;  ///< never null
    permissions allowed;                        ///< of its account
    std::optional<permissions> narrowed;        ///< of its token, if it came with one

    /// As permissions::allows(): what the account and the token allow.
    [[nodiscard]] bool allows(operation what, std::string_view path) const noexcept {
        return allowed.allows(what, path) && (!narrowed || narrowed->allows(what, path));
    }
};

/// What the words of its rights that are of files allow a client. Throws std::bad_alloc.
[[nodiscard]] visitor visitor_of(std::shared_ptr<const auth::identity> who);

/// The visitor that a request is of, or why it is of none.
using login = std::expected<std::shared_ptr<const visitor>, auth::login_refusal>;

/// Accounts as the HTTP service asks them. Any thread.
class visitors {
 public:
    /// `who` outlives it.
    explicit visitors(auth::authenticator& who) noexcept : who_{who} {}

    /// The visitor with this value of Authorization (RFC 9110, section 11.6.2) at this address. If
    /// the value is empty, it is the one that `layer`, which may be null, proves it to be, or has
    /// no name. None if a password has to be hashed first: identify() does that.
    [[nodiscard]] std::optional<login> identify_now(std::string_view field,
                                                    const net::address& from,
                                                    const io::record_layer* layer) noexcept;
    /// The same off the loop, in some 50 ms of a core.
    [[nodiscard]] coro::task<login> identify(io::engine& engine, std::string field,
                                             net::address from);

 private:
    [[nodiscard]] std::shared_ptr<const visitor> without_name();

    auth::authenticator& who_;
    std::atomic<std::shared_ptr<const visitor>> without_name_;
};

}  // namespace sluice::files
