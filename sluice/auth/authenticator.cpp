// Implements authenticator: tokens at once, passwords by a hash in a thread.
#include "sluice/auth/authenticator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::auth {
namespace {

using namespace std::chrono_literals;

constexpr auto report_interval = 1min;

bool contains(const std::vector<std::string>& rights, std::string_view right) noexcept {
    return std::ranges::find(rights, right) != rights.end();
}

}  // namespace

bool identity::has(std::string_view right) const noexcept {
    return contains(rights, right) && (!narrowed || contains(*narrowed, right));
}

std::string_view to_text(login_refusal why) noexcept {
    switch (why) {
        case login_refusal::none: break;
        case login_refusal::wrong: return "wrong name, password or token";
        case login_refusal::too_often:
            return "too many wrong attempts from your address; try again in a minute";
        case login_refusal::busy:
            return "too many passwords wait to be checked; try again in a few seconds";
        case login_refusal::no_memory: return "this server has no memory left; try again later";
    }
    return {};
}

std::string_view in_brief(login_refusal why) noexcept {
    switch (why) {
        case login_refusal::none: break;
        case login_refusal::wrong: return "wrong login";
        case login_refusal::too_often: return "too many wrong logins";
        case login_refusal::busy: return "too many logins";
        case login_refusal::no_memory: return "no memory";
    }
    return {};
}

/// Accounts, and each as an identity. Immutable.
struct authenticator::state {
    explicit state(accounts all) : known{std::move(all)} {}

    [[nodiscard]] static std::shared_ptr<const identity> identity_of(const account* found) {
        if (found == nullptr) return std::make_shared<const identity>();
        const bool named = found->name != anonymous_name;
        return std::make_shared<const identity>(
            identity{.name = named ? found->name : std::string{}, .rights = found->rights});
    }

    accounts known;
    std::shared_ptr<const identity> without_name = identity_of(known.anonymous());
};

authenticator::authenticator(accounts known, std::function<void(std::string_view)> report)
    : report_{std::move(report)},
      state_{std::make_shared<const state>(std::move(known))},
      reported_at_{(os::clock::now() - report_interval).time_since_epoch().count()} {}

authenticator::~authenticator() = default;

void authenticator::replace(accounts known) {
    state_.store(std::make_shared<const state>(std::move(known)));
    cache_.clear();
}

std::shared_ptr<const identity> authenticator::anonymous() const noexcept {
    return now()->without_name;
}

std::shared_ptr<const identity> authenticator::proved(const io::record_layer* layer) const {
    const std::string name = layer != nullptr ? layer->peer_name() : std::string{};
    if (name.empty() || name == anonymous_name) return nullptr;
    const auto all = now();
    const auto* const found = all->known.find(name);
    return found != nullptr ? state::identity_of(found) : nullptr;
}

std::vector<std::string> authenticator::names() const {
    return now()->known.names();
}

login authenticator::admit(std::shared_ptr<const identity> who) noexcept {
    counters_->admitted.fetch_add(1, relaxed);
    return who;
}

login authenticator::refuse_unheard() noexcept {
    counters_->too_often.fetch_add(1, relaxed);
    return std::unexpected{login_refusal::too_often};
}

login authenticator::refuse(login_refusal why, std::string_view name, const net::address& from) {
    counters_->wrong.fetch_add(1, relaxed);
    const auto all = refused_.fetch_add(1) + 1;
    const auto at = os::clock::now().time_since_epoch().count();
    auto last = reported_at_.load();
    const bool due = at - last >= std::chrono::nanoseconds{report_interval}.count();
    if (due && reported_at_.compare_exchange_strong(last, at) && report_) {
        report_(fmt::format("{} login{} refused, the last of {} from {}", all, all == 1 ? "" : "s",
                            wire::in_quotes(name, 64), from.to_string()));
        refused_.fetch_sub(all);
    }
    return std::unexpected{why};
}

std::optional<login> authenticator::check_now(const std::optional<credentials>& said,
                                              const net::address& from) noexcept try {
    const auto all = now();
    const auto key = failure_key(from);
    if (failures_.wait_of(key, os::clock::now()) > 0s) return refuse_unheard();
    const auto fail = [&](std::string_view name) {
        failures_.add_failure(key, os::clock::now());
        return refuse(login_refusal::wrong, name, from);
    };
    if (!said) return fail("words that make no sense");
    if (said->is_token()) {
        const auto today = std::chrono::floor<std::chrono::seconds>(os::wall_clock_now());
        const auto claims = all->known.verify_token(said->secret, today);
        if (!claims) return fail(to_text(claims.error()));
        const auto* const found = all->known.find(claims->name);
        if (found == nullptr) return fail(claims->name);
        return admit(std::make_shared<const identity>(
            identity{.name = claims->name, .rights = found->rights, .narrowed = claims->rights}));
    }
    const auto* const found = all->known.find(said->name);
    if (found != nullptr && cache_.knows(*found, said->secret, os::clock::now())) {
        return admit(state::identity_of(found));
    }
    return std::nullopt;
} catch (const std::bad_alloc&) {
    return std::unexpected{login_refusal::no_memory};
}

coro::task<login> authenticator::check(io::engine& engine, credentials said, net::address from) {
    const auto all = now();
    const auto key = failure_key(from);
    const auto verified = co_await hashers_.run(engine, [&]() -> login_refusal {
        // Here, for guesses that were queued at once have failed meanwhile.
        if (failures_.wait_of(key, os::clock::now()) > 0s) return login_refusal::too_often;
        counters_->hashed.fetch_add(1, relaxed);
        if (all->known.verify(said.name, said.secret)) return login_refusal::none;
        failures_.add_failure(key, os::clock::now());
        return login_refusal::wrong;
    });
    if (!verified) {
        const bool full = verified.error() == fault::queue_full;
        co_return std::unexpected{full ? login_refusal::busy : login_refusal::no_memory};
    }
    if (*verified == login_refusal::wrong) {
        co_return refuse(login_refusal::wrong, said.name, from);
    }
    if (*verified == login_refusal::too_often) co_return refuse_unheard();
    if (*verified != login_refusal::none) co_return std::unexpected{*verified};
    const auto* const found = all->known.find(said.name);
    cache_.remember(*found, said.secret, os::clock::now());
    co_return admit(state::identity_of(found));
}

}  // namespace sluice::auth
