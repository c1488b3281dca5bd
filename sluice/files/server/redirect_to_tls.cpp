// Implements redirect_to_tls(), from a head of which perhaps only a part has come.
#include "sluice/files/server/redirect_to_tls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "sluice/http/text.hpp"
#include "sluice/wire/protocol_guess.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

constexpr std::string_view sentence = "This port speaks TLS: write https:// instead of http://.\n";

/// The value of Host, if it can stand in a URL as it is.
std::optional<std::string_view> host_of(std::string_view head) {
    for (auto end = head.find('\n'); end != std::string_view::npos; end = head.find('\n')) {
        head.remove_prefix(end + 1);
        const auto next = head.find('\n');
        if (next == std::string_view::npos) return std::nullopt;
        const auto line = wire::without_line_end(head.substr(0, next + 1));
        const auto colon = line.find(':');
        if (line.empty()) return std::nullopt;
        if (colon == std::string_view::npos || !http::same_word(line.substr(0, colon), "host")) {
            continue;
        }
        const auto host = http::trim_blanks(line.substr(colon + 1));
        constexpr std::string_view allowed =
            "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:[]";
        if (host.empty() || host.find_first_not_of(allowed) != std::string_view::npos) {
            return std::nullopt;
        }
        return host;
    }
    return std::nullopt;
}

/// Whether a target can stand in a URL as it is: other bytes than these are encoded there.
bool is_plain(std::string_view target) noexcept {
    return std::ranges::all_of(target, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string response(std::string_view status, std::string_view fields) {
    return fmt::format(
        "HTTP/1.1 {}\r\nConnection: close\r\nContent-Type: text/plain; "
        "charset=utf-8\r\nContent-Length: {}\r\n{}\r\n{}",
        status, sentence.size(), fields, sentence);
}

}  // namespace

std::string redirect_to_tls(std::string_view first) {
    wire::protocol_guess guess;
    guess.feed(first);
    if (guess.found() != wire::other_protocol::http) return {};
    const auto line = first.substr(0, first.find_first_of("\r\n"));
    const auto begin = line.find(' ') + 1;
    const auto method = line.substr(0, begin - 1);
    const auto target = line.substr(begin, line.find(' ', begin) - begin);
    const auto host = host_of(first);
    const bool leads_there = host && target.starts_with('/') && is_plain(target) &&
                             (method == "GET" || method == "HEAD");
    std::string answer = leads_there
                             ? response("308 Permanent Redirect",
                                        fmt::format("Location: https://{}{}\r\n", *host, target))
                             : response("426 Upgrade Required", "Upgrade: TLS/1.2, HTTP/1.1\r\n");
    if (method == "HEAD") answer.resize(answer.size() - sentence.size());
    return answer;
}

}  // namespace sluice::files
