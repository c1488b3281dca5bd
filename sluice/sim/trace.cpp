// Implements the trace: hashing and showing lines.
#include "sluice/sim/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace sluice::sim {

void trace::add(const place& where, const char* name, std::initializer_list<std::int64_t> arguments,
                std::int64_t result, std::string_view text) {
    line& l = ring_[count_++ % kept];
    l.where = where;
    l.name = name;
    l.given = 0;
    for (const std::int64_t argument : arguments) {
        if (l.given < l.arguments.size()) l.arguments[l.given++] = argument;
        mix(static_cast<std::uint64_t>(argument));
    }
    l.result = result;
    const std::size_t n = std::min(text.size(), l.text.size() - 1);
    std::copy_n(text.begin(), n, l.text.begin());
    l.text[n] = '\0';
    mix(static_cast<std::uint64_t>(where.time));
    mix((static_cast<std::uint64_t>(where.process) << 32) |
        static_cast<std::uint32_t>(where.fiber));
    mix(static_cast<std::uint64_t>(result));
    mix_text(name);
    if (!text.empty()) mix_text(text);
    if (keep_all_) all_ += show(l);
}

/// Eight bytes at a time.
void trace::mix_text(std::string_view text) noexcept {
    while (!text.empty()) {
        std::uint64_t word = text.size();
        const std::size_t n = std::min(text.size(), sizeof word);
        std::memcpy(&word, text.data(), n);
        mix(word);
        text.remove_prefix(n);
    }
}

std::string trace::show(const line& l) {
    constexpr std::int64_t a_second = 1'000'000'000;
    std::string out = fmt::format("{}.{:09} ", l.where.time / a_second, l.where.time % a_second);
    if (l.where.process != 0) {
        fmt::format_to(std::back_inserter(out), "{}/{} ", l.where.process, l.where.fiber);
    }
    out += l.name;
    out += '(';
    for (std::size_t i = 0; i < l.given; ++i) {
        fmt::format_to(std::back_inserter(out), "{}{}", i == 0 ? "" : ", ", l.arguments[i]);
    }
    if (l.text[0] != '\0') {
        fmt::format_to(std::back_inserter(out), "{}'{}'", l.given == 0 ? "" : ", ", l.text.data());
    }
    out += ") = ";
    // Names of errors read better than numbers. No call returns so small a number otherwise.
    constexpr std::int64_t last_errno = 4095;
    const char* error = l.result < 0 && l.result >= -last_errno
                            ? ::strerrorname_np(static_cast<int>(-l.result))
                            : nullptr;
    if (error != nullptr) {
        out += error;
    } else {
        fmt::format_to(std::back_inserter(out), "{}", l.result);
    }
    out += '\n';
    return out;
}

std::string trace::last(std::size_t n) const {
    if (keep_all_) {
        std::size_t at = all_.size();
        for (; n > 0 && at > 0; --n) {
            const std::size_t before = all_.rfind('\n', at - 2);
            at = at < 2 || before == std::string::npos ? 0 : before + 1;
        }
        return all_.substr(at);
    }
    std::string out;
    const auto shown = std::min<std::uint64_t>({n, kept, count_});
    for (std::uint64_t i = count_ - shown; i < count_; ++i) out += show(ring_[i % kept]);
    return out;
}

}  // namespace sluice::sim
