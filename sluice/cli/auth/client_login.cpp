// Implements the options of clients that say who their user is.
#include "sluice/cli/auth/client_login.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <utility>

#include "sluice/auth/secret.hpp"
#include "sluice/auth/token.hpp"
#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/cli/auth/names.hpp"
#include "sluice/cli/auth/password_input.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/terminal.hpp"

namespace sluice::cli {
namespace {

using problem = std::unexpected<std::string>;

constexpr const char* variable = "SLUICE_PASSWORD";

/// The first line of a file, without blanks around it.
std::expected<std::string, std::string> read_token(const std::string& file) {
    const auto fail = [&file](int why) {
        return problem{
            fmt::format("cannot read {}: {}", in_quotes(file), error::system(why).message())};
    };
    const unique_fd from{os::sys().openat(AT_FDCWD, file.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!from) return fail(-from.get());
    std::array<std::byte, auth::longest_token + 2> bytes{};
    std::size_t size = 0;
    for (;;) {
        const auto n = os::sys().read(from.get(), mutable_bytes{bytes}.subspan(size));
        if (n < 0) return fail(static_cast<int>(-n));
        if (n == 0) break;
        size += static_cast<std::size_t>(n);
    }
    auto text = as_text(const_bytes{bytes}.first(size));
    text = text.substr(0, text.find_first_of(" \t\r\n"));
    if (text.empty()) {
        return problem{
            fmt::format("{} holds no token; `sluice token NAME` prints one", in_quotes(file))};
    }
    return std::string{text};
}

std::expected<std::string, std::string> password_of(const std::string& user) {
    // The environment is changed by no thread.
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    if (const char* const set = std::getenv(variable)) return std::string{set};
    if (os::is_terminal(STDIN_FILENO)) return read_password(user);
    return problem{fmt::format("there is no terminal to ask for the password of {} on; set {}",
                               user, variable)};
}

}  // namespace

void add_client_login_options(CLI::App& command, client_login_options& into) {
    add_value(command, "--user", into.user, read_account_name, "NAME",
              "Say who you are; the password is that of SLUICE_PASSWORD, or asked for");
    command
        .add_option("--token-file", into.token_file,
                    "Say who you are by the token in this file, as sluice token prints it")
        ->type_name("FILE");
    command.add_flag("--insecure-auth", into.insecure,
                     "Say it in the clear beyond this machine, too");
}

std::expected<std::optional<auth::credentials>, std::string> open_client_login(
    const client_login_options& o, std::span<const net::address> where, bool over_tls) {
    if (o.user.empty() && o.token_file.empty()) return std::optional<auth::credentials>{};
    if (!o.user.empty() && !o.token_file.empty()) {
        return problem{"--user and --token-file exclude each other; leave one of them out"};
    }
    if (!over_tls && !o.insecure && !std::ranges::all_of(where, &net::address::is_loopback)) {
        return problem{
            "the password or token would travel in the clear; write https:// or tls:// in front of "
            "the address, or say --insecure-auth if that is meant"};
    }
    auto secret = o.user.empty() ? read_token(o.token_file) : password_of(o.user);
    if (!secret) return problem{std::move(secret.error())};
    if (secret->empty())
        return problem{fmt::format("{} is empty; set it to the password", variable)};
    return auth::credentials{o.user, std::move(*secret)};
}

std::string authorization_field(const auth::credentials& given) {
    if (given.is_token()) return fmt::format("Authorization: Bearer {}\r\n", given.secret);
    std::string both = given.name + ':' + given.secret;
    const auth::wipe_at_end wipe{both};
    std::string encoded(4 * (both.size() / 3 + 1) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                     reinterpret_cast<const unsigned char*>(both.data()),
                                     static_cast<int>(both.size()));
    encoded.resize(static_cast<std::size_t>(size));
    return fmt::format("Authorization: Basic {}\r\n", encoded);
}

}  // namespace sluice::cli
