// Implements credentials, and the line `login ...`.
#include "sluice/auth/credentials.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

namespace sluice::auth {
namespace {

constexpr std::string_view word = "login ";

bool is_control(char c) noexcept {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

}  // namespace

credentials::credentials(std::string n, std::string s) noexcept
    : name{std::move(n)}, secret{std::move(s)} {}

credentials::credentials(credentials&& other) noexcept = default;

credentials& credentials::operator=(credentials&& other) noexcept {
    std::swap(name, other.name);
    std::swap(secret, other.secret);
    return *this;
}

credentials::~credentials() {
    // All of its memory: a short text that was moved away has left its characters there.
    secret.resize(secret.capacity());
    OPENSSL_cleanse(secret.data(), secret.size());
}

std::optional<credentials> read_login(std::string_view line) {
    if (line.size() > longest_login_line || std::ranges::any_of(line, is_control)) {
        return std::nullopt;
    }
    if (line.starts_with('/')) line.remove_prefix(1);
    if (!line.starts_with(word)) return std::nullopt;
    line.remove_prefix(word.size());
    const auto blank = line.find(' ');
    if (line.empty() || blank == 0) return std::nullopt;
    if (blank == std::string_view::npos) return credentials{{}, std::string{line}};
    if (blank + 1 == line.size()) return std::nullopt;
    return credentials{std::string{line.substr(0, blank)}, std::string{line.substr(blank + 1)}};
}

std::string login_line(const credentials& given) {
    std::string line;
    // At once, so that no copy of the secret is left by its growth.
    line.reserve(word.size() + given.name.size() + given.secret.size() + 2);
    line.append(word);
    if (!given.is_token()) line.append(given.name).push_back(' ');
    line.append(given.secret).push_back('\n');
    return line;
}

}  // namespace sluice::auth
