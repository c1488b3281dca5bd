// Implements visitors: asks the accounts, and keeps the one without a name.
#include "sluice/files/server/visitors.hpp"

#include <openssl/crypto.h>

#include <new>
#include <utility>
#include <vector>

#include "sluice/auth/authorization.hpp"

namespace sluice::files {
namespace {

permissions permissions_of(const std::vector<std::string>& rights) {
    permissions all;
    // The words of other services grant nothing here.
    for (const auto& each : rights) static_cast<void>(all.grant(each));
    return all;
}

login as_visitor(const auth::login& found) {
    if (!found) return std::unexpected{found.error()};
    return std::make_shared<const visitor>(visitor_of(*found));
}

}  // namespace

visitor visitor_of(std::shared_ptr<const auth::identity> who) {
    visitor made{.who = std::move(who), .allowed = {}, .narrowed = {}};
    made.allowed = permissions_of(made.who->rights);
    if (made.who->narrowed) made.narrowed = permissions_of(*made.who->narrowed);
    return made;
}

std::shared_ptr<const visitor> visitors::without_name() {
    auto who = who_.anonymous();
    auto known = without_name_.load();
    if (known != nullptr && known->who == who) return known;
    known = std::make_shared<const visitor>(visitor_of(std::move(who)));
    without_name_.store(known);
    return known;
}

std::optional<login> visitors::identify_now(std::string_view field, const net::address& from,
                                            const io::record_layer* layer) noexcept try {
    if (field.empty()) {
        auto proved = who_.proved(layer);
        if (proved != nullptr) return as_visitor(std::move(proved));
        return without_name();
    }
    const auto found = who_.check_now(auth::read_authorization(field), from);
    if (!found) return std::nullopt;
    return as_visitor(*found);
} catch (const std::bad_alloc&) {
    return std::unexpected{auth::login_refusal::no_memory};
}

coro::task<login> visitors::identify(io::engine& engine, std::string field, net::address from) {
    auto said = auth::read_authorization(field);
    OPENSSL_cleanse(field.data(), field.size());
    if (!said) co_return std::unexpected{auth::login_refusal::wrong};
    const auto found = co_await who_.check(engine, std::move(*said), from);
    co_return as_visitor(found);
}

}  // namespace sluice::files
