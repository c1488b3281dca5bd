// Implements visitors: reads the field Authorization, and asks the accounts.
#include "sluice/files/server/visitors.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <utility>

#include "sluice/auth/base64url.hpp"
#include "sluice/base/bytes.hpp"
#include "sluice/http/text.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

using namespace std::chrono_literals;

constexpr auto report_interval = 1min;

/// A name and a password, which is wiped.
struct name_and_password {
    std::string name;
    std::string password;

    name_and_password(std::string_view n, std::string_view p) : name{n}, password{p} {}
    name_and_password(name_and_password&&) = default;
    name_and_password& operator=(name_and_password&&) = default;
    ~name_and_password() { OPENSSL_cleanse(password.data(), password.size()); }
};

/// The credentials of scheme `wanted` (RFC 9110, section 11.4); none of another.
std::optional<std::string_view> credentials(std::string_view field, std::string_view wanted) {
    const auto blank = std::min(field.find(' '), field.size());
    if (!http::same_word(field.substr(0, blank), wanted)) return std::nullopt;
    return http::trim_blanks(field.substr(blank));
}

/// RFC 7617, section 2.
std::optional<name_and_password> read_basic(std::string_view text) {
    std::string url_safe{text};
    std::ranges::replace(url_safe, '+', '-');
    std::ranges::replace(url_safe, '/', '_');
    while (url_safe.ends_with('=')) url_safe.pop_back();
    auto bytes = auth::from_base64url(url_safe);
    OPENSSL_cleanse(url_safe.data(), url_safe.size());
    if (!bytes) return std::nullopt;
    const std::string_view both = as_text(const_bytes{*bytes});
    const auto colon = both.find(':');
    std::optional<name_and_password> found;
    // A NUL at its end would make another password of the same hash.
    const bool has_controls = std::ranges::any_of(
        both, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
    if (colon != std::string_view::npos && !has_controls) {
        found.emplace(both.substr(0, colon), both.substr(colon + 1));
    }
    OPENSSL_cleanse(bytes->data(), bytes->size());
    return found;
}

/// For failure_limit: IPv4, or the first half of IPv6.
std::string key_of(const net::address& from) {
    std::string key;
    if (from.family() == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, from.data(), sizeof v4);
        key.resize(sizeof v4.sin_addr);
        std::memcpy(key.data(), &v4.sin_addr, key.size());
    } else if (from.family() == AF_INET6) {
        constexpr std::size_t network = 8;
        sockaddr_in6 v6{};
        std::memcpy(&v6, from.data(), sizeof v6);
        key.resize(network);
        std::memcpy(key.data(), &v6.sin6_addr, key.size());
    }
    return key;
}

permissions permissions_of(const std::vector<std::string>& rights) {
    permissions all;
    // The words of other services grant nothing here.
    for (const auto& each : rights) static_cast<void>(all.grant(each));
    return all;
}

}  // namespace

/// Accounts, and each as a visitor. Immutable.
struct visitors::state {
    explicit state(auth::accounts all) : known{std::move(all)} {}

    /// The visitor without a token.
    [[nodiscard]] static std::shared_ptr<const visitor> visitor_of(const auth::account* found) {
        if (found == nullptr) return std::make_shared<const visitor>();
        const bool named = found->name != auth::anonymous_name;
        return std::make_shared<const visitor>(
            visitor{named ? found->name : std::string{}, permissions_of(found->rights), {}});
    }

    auth::accounts known;
    std::shared_ptr<const visitor> without_name = visitor_of(known.anonymous());
};

visitors::visitors(auth::accounts known, std::function<void(std::string_view)> report)
    : report_{std::move(report)},
      state_{std::make_shared<const state>(std::move(known))},
      reported_at_{(os::clock::now() - report_interval).time_since_epoch().count()} {}

visitors::~visitors() = default;

void visitors::replace(auth::accounts known) {
    state_.store(std::make_shared<const state>(std::move(known)));
    cache_.clear();
}

login visitors::refuse(login_refusal why, std::string_view name, const net::address& from) {
    const auto all = refused_.fetch_add(1) + 1;
    const auto at = os::clock::now().time_since_epoch().count();
    auto last = reported_at_.load();
    const bool due = at - last >= std::chrono::nanoseconds{report_interval}.count();
    if (due && reported_at_.compare_exchange_strong(last, at) && report_) {
        report_(fmt::format("{} login{} refused, the last of '{}' from {}", all,
                            all == 1 ? "" : "s", wire::printable(wire::truncate_utf8(name, 64)),
                            from.to_string()));
        refused_.fetch_sub(all);
    }
    return std::unexpected{why};
}

std::optional<login> visitors::identify_now(std::string_view field,
                                            const net::address& from) noexcept try {
    const auto all = now();
    if (field.empty()) return all->without_name;
    const auto key = key_of(from);
    if (failures_.wait_of(key, os::clock::now()) > 0s) {
        return std::unexpected{login_refusal::too_often};
    }
    const auto fail = [&](std::string_view name) {
        failures_.add_failure(key, os::clock::now());
        return refuse(login_refusal::wrong, name, from);
    };
    if (const auto token = credentials(field, "Bearer")) {
        const auto today = std::chrono::floor<std::chrono::seconds>(os::wall_clock_now());
        const auto said = all->known.verify_token(*token, today);
        if (!said) return fail(to_text(said.error()));
        const auto* const found = all->known.find(said->name);
        if (found == nullptr) return fail(said->name);
        return std::make_shared<const visitor>(
            visitor{said->name, permissions_of(found->rights), permissions_of(said->rights)});
    }
    const auto text = credentials(field, "Basic");
    const auto given = text ? read_basic(*text) : std::nullopt;
    if (!given) return fail("a field that makes no sense");
    const auto* const found = all->known.find(given->name);
    if (found != nullptr && cache_.knows(*found, given->password, os::clock::now())) {
        return state::visitor_of(found);
    }
    return std::nullopt;
} catch (const std::bad_alloc&) {
    return std::unexpected{login_refusal::no_memory};
}

coro::task<login> visitors::identify(io::engine& engine, std::string field, net::address from) {
    const auto all = now();
    const auto text = credentials(field, "Basic");
    const auto given = text ? read_basic(*text) : std::nullopt;
    OPENSSL_cleanse(field.data(), field.size());
    if (!given) co_return std::unexpected{login_refusal::wrong};
    const auto key = key_of(from);
    const auto verified = co_await hashers_.run(engine, [&]() -> login_refusal {
        // Here, for guesses that were queued at once have failed meanwhile.
        if (failures_.wait_of(key, os::clock::now()) > 0s) return login_refusal::too_often;
        if (all->known.verify(given->name, given->password)) return login_refusal::none;
        failures_.add_failure(key, os::clock::now());
        return login_refusal::wrong;
    });
    if (!verified) {
        const bool full = verified.error() == fault::queue_full;
        co_return std::unexpected{full ? login_refusal::too_often : login_refusal::no_memory};
    }
    if (*verified == login_refusal::wrong) {
        co_return refuse(login_refusal::wrong, given->name, from);
    }
    if (*verified != login_refusal::none) co_return std::unexpected{*verified};
    const auto* const found = all->known.find(given->name);
    cache_.remember(*found, given->password, os::clock::now());
    co_return state::visitor_of(found);
}

}  // namespace sluice::files
