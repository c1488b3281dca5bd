// Implements visitors: reads the field Authorization, and asks the accounts.
#include "sluice/files/server/visitors.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "sluice/auth/base64url.hpp"
#include "sluice/base/bytes.hpp"
#include "sluice/http/text.hpp"

namespace sluice::files {
namespace {

/// The value of scheme `wanted` (RFC 9110, section 11.4); none of another.
std::optional<std::string_view> value_of(std::string_view field, std::string_view wanted) {
    const auto blank = std::min(field.find(' '), field.size());
    if (!http::same_word(field.substr(0, blank), wanted)) return std::nullopt;
    return http::trim_blanks(field.substr(blank));
}

/// RFC 7617, section 2.
std::optional<auth::credentials> read_basic(std::string_view text) {
    std::string url_safe{text};
    std::ranges::replace(url_safe, '+', '-');
    std::ranges::replace(url_safe, '/', '_');
    while (url_safe.ends_with('=')) url_safe.pop_back();
    auto bytes = auth::from_base64url(url_safe);
    OPENSSL_cleanse(url_safe.data(), url_safe.size());
    if (!bytes) return std::nullopt;
    const std::string_view both = as_text(const_bytes{*bytes});
    const auto colon = both.find(':');
    std::optional<auth::credentials> found;
    // A NUL at its end would make another password of the same hash.
    const bool has_controls = std::ranges::any_of(
        both, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
    if (colon != std::string_view::npos && colon > 0 && !has_controls) {
        found.emplace(std::string{both.substr(0, colon)}, std::string{both.substr(colon + 1)});
    }
    OPENSSL_cleanse(bytes->data(), bytes->size());
    return found;
}

std::optional<auth::credentials> read_authorization(std::string_view field) {
    if (const auto token = value_of(field, "Bearer")) {
        return auth::credentials{{}, std::string{*token}};
    }
    const auto text = value_of(field, "Basic");
    return text ? read_basic(*text) : std::nullopt;
}

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
    const auto found = who_.check_now(read_authorization(field), from);
    if (!found) return std::nullopt;
    return as_visitor(*found);
} catch (const std::bad_alloc&) {
    return std::unexpected{auth::login_refusal::no_memory};
}

coro::task<login> visitors::identify(io::engine& engine, std::string field, net::address from) {
    auto said = read_authorization(field);
    OPENSSL_cleanse(field.data(), field.size());
    if (!said) co_return std::unexpected{auth::login_refusal::wrong};
    const auto found = co_await who_.check(engine, std::move(*said), from);
    co_return as_visitor(found);
}

}  // namespace sluice::files
