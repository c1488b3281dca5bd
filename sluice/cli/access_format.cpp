// Implements the formats of the access log.
#include "sluice/cli/access_format.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <ctime>

#include "sluice/wire/json_string.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::cli {
namespace {

using model::access_event;
using model::access_kind;
using std::chrono::floor;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// The most bytes that are taken of the fields of a client.
struct cuts {
    std::size_t what;
    std::size_t field;
    std::size_t word;
};
constexpr cuts usual{.what = 1024, .field = 256, .word = 64};
// Each byte may become six (`\u001b`): all of them fit the longest line.
constexpr cuts short_cuts{.what = 100, .field = 60, .word = 20};

struct names {
    std::string_view service;
    std::string_view action;
    std::string_view what;     // the field of JSON
    std::string_view journal;  // that of the journal
};

constexpr std::array<names, static_cast<std::size_t>(access_kind::last_kind)> all_names{
    {{"http", "request", "url.path", "SLUICE_TARGET"},
     {"raw", "upload", "file.name", "SLUICE_FILE"},
     {"offer", "download", "file.name", "SLUICE_FILE"},
     {"chat", "session", "sluice.room", "SLUICE_ROOM"},
     {"talk", "conversation", "sluice.room", "SLUICE_ROOM"},
     {"compute", "question", "sluice.question", "SLUICE_QUESTION"}}};

const names& names_of(access_kind kind) noexcept {
    return all_names[static_cast<std::size_t>(kind)];
}

void add_number(std::string& out, std::uint64_t number) {
    std::array<char, 20> digits{};
    char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

/// With leading zeros.
void add_digits(std::string& out, std::uint64_t number, std::size_t width) {
    out.append(width, '0');
    for (std::size_t i = out.size(); width > 0; --width, number /= 10) {
        out[--i] = static_cast<char>('0' + number % 10);
    }
}

void add_seconds(std::string& out, io::duration took) {
    const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(took).count(), 0));
    add_number(out, us / 1'000'000);
    out += '.';
    add_digits(out, us % 1'000'000, 6);
}

/// `+01:00`, or without the colon.
void add_offset(std::string& out, seconds offset, bool colon) {
    const auto minutes = static_cast<std::uint64_t>(std::abs(offset.count())) / 60;
    out += offset.count() < 0 ? '-' : '+';
    add_digits(out, minutes / 60, 2);
    if (colon) out += ':';
    add_digits(out, minutes % 60, 2);
}

struct civil_time {
    explicit civil_time(local_time at) noexcept
        : local{at.when.time_since_epoch() + at.offset},
          day{floor<std::chrono::days>(local)},
          date{day},
          time{local - day} {}
    std::chrono::sys_time<nanoseconds> local;
    std::chrono::sys_days day;
    std::chrono::year_month_day date;
    std::chrono::hh_mm_ss<nanoseconds> time;
};

void add_clock(std::string& out, const civil_time& t) {
    add_digits(out, static_cast<std::uint64_t>(t.time.hours().count()), 2);
    out += ':';
    add_digits(out, static_cast<std::uint64_t>(t.time.minutes().count()), 2);
    out += ':';
    add_digits(out, static_cast<std::uint64_t>(t.time.seconds().count()), 2);
}

/// `2026-11-30T22:12:10.123+00:00` (RFC 3339).
void add_timestamp(std::string& out, local_time at) {
    const civil_time t{at};
    add_digits(out, static_cast<std::uint64_t>(static_cast<int>(t.date.year())), 4);
    out += '-';
    add_digits(out, static_cast<unsigned>(t.date.month()), 2);
    out += '-';
    add_digits(out, static_cast<unsigned>(t.date.day()), 2);
    out += 'T';
    add_clock(out, t);
    out += '.';
    add_digits(out, static_cast<std::uint64_t>(floor<milliseconds>(t.time.subseconds()).count()),
               3);
    add_offset(out, at.offset, true);
}

/// `30/Nov/2026:22:12:10 +0000`
void add_apache_time(std::string& out, local_time at) {
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const civil_time t{at};
    add_digits(out, static_cast<unsigned>(t.date.day()), 2);
    out += '/';
    out += months.substr(std::size_t{3} * (static_cast<unsigned>(t.date.month()) - 1), 3);
    out += '/';
    add_digits(out, static_cast<std::uint64_t>(static_cast<int>(t.date.year())), 4);
    out += ':';
    add_clock(out, t);
    out += ' ';
    add_offset(out, at.offset, false);
}

/// Adds the fields of an event, each cut to its limit.
class line_writer {
 public:
    line_writer(std::string& out, const access_event& e, cuts l) noexcept
        : limits{l}, out_{out}, e_{e} {}

    const cuts limits;

    void add(std::string_view text) { out_ += text; }

    /// Printable, for a reader of lines; in quotes, those within it and backslashes are escaped.
    void add_printable(std::string_view text, std::size_t most) {
        const auto shown = cut(text, most);
        wire::append_printable(out_, shown);
        if (shown.size() < text.size()) out_ += "...";
    }
    void add_quoted(std::string_view text, std::size_t most) {
        constexpr std::string_view special = "\"\\";
        auto shown = cut(text, most);
        const bool was_cut = shown.size() < text.size();
        while (!shown.empty()) {
            const auto end = std::min(shown.find_first_of(special), shown.size());
            wire::append_printable(out_, shown.substr(0, end));
            shown.remove_prefix(end);
            if (shown.empty()) break;
            out_ += '\\';
            out_ += shown.front();
            shown.remove_prefix(1);
        }
        if (was_cut) out_ += "...";
    }
    /// One word: blanks would be taken for the end of a column.
    void add_word(std::string_view text, std::size_t most) {
        const auto from = out_.size();
        add_quoted(text.empty() ? "-" : text, most);
        std::replace(out_.begin() + static_cast<std::ptrdiff_t>(from), out_.end(), ' ', '_');
    }
    void add_json(std::string_view name, std::string_view text, std::size_t most) {
        if (text.empty()) return;
        begin_json(name);
        const auto shown = cut(text, most);
        wire::append_json_string(out_, shown);
        if (shown.size() == text.size()) return;
        out_.pop_back();
        out_ += "...\"";
    }
    void add_json(std::string_view name, std::uint64_t number) {
        begin_json(name);
        add_number(out_, number);
    }
    void add_entry(std::string_view name, std::string_view text, std::size_t most) {
        if (text.empty()) return;
        out_ += name;
        out_ += '=';
        add_printable(text, most);
        out_ += '\n';
    }
    void add_entry(std::string_view name, std::uint64_t number) {
        out_ += name;
        out_ += '=';
        add_number(out_, number);
        out_ += '\n';
    }

    [[nodiscard]] bool was_cut() const noexcept { return was_cut_; }
    [[nodiscard]] std::string& out() noexcept { return out_; }
    [[nodiscard]] const access_event& event() const noexcept { return e_; }

 private:
    std::string_view cut(std::string_view text, std::size_t most) noexcept {
        const auto shown = wire::truncate_utf8(text, most);
        was_cut_ = was_cut_ || shown.size() < text.size();
        return shown;
    }
    void begin_json(std::string_view name) {
        out_ += out_.empty() ? "{\"" : ",\"";
        out_ += name;
        out_ += "\":";
    }

    std::string& out_;
    const access_event& e_;
    bool was_cut_ = false;
};

std::string_view version_of(const access_event& e) noexcept {
    return e.is_old ? "1.0" : "1.1";
}

/// `GET /a.txt`, `question 30`: in text, and as the message of the journal.
void add_request(line_writer& to) {
    const auto& e = to.event();
    to.add_quoted(e.method.empty() ? names_of(e.kind).action : e.method, to.limits.word);
    if (e.what.empty()) return;
    to.add(" ");
    to.add_quoted(e.what, to.limits.what);
}

void add_client(line_writer& to) {
    const auto& from = to.event().client;
    const auto before = to.out().size();
    from.append_host(to.out());
    if (to.out().size() == before) return to.add("-");
    if (from.is_unix()) return;
    if (to.out().find(':', before) != std::string::npos) {
        to.out().insert(before, 1, '[');
        to.add("]");
    }
    to.add(":");
    add_number(to.out(), from.port());
}

/// The status of HTTP, `ok`, or why it failed.
void add_status(line_writer& to) {
    const auto& e = to.event();
    if (e.status > 0) {
        add_number(to.out(), e.status);
    } else if (e.failed()) {
        to.add_word(e.reason, to.limits.field);
    } else {
        to.add("ok");
    }
}

/// What follows the client in text, and is the message of the journal.
void add_summary(line_writer& to) {
    const auto& e = to.event();
    to.add_word(e.user, to.limits.word);
    to.add(" \"");
    add_request(to);
    to.add("\" ");
    add_status(to);
    to.add(" in=");
    add_number(to.out(), e.received);
    to.add(" out=");
    add_number(to.out(), e.sent);
    to.add(" ");
    add_seconds(to.out(), e.took);
    to.add("s");
    if (e.status > 0 && !e.reason.empty()) {
        to.add(" ");
        to.add_word(e.reason, to.limits.field);
    }
}

void format_text(line_writer& to, local_time at) {
    const auto& e = to.event();
    add_timestamp(to.out(), at);
    to.add(" ");
    to.add(model::event_id_text{e.id}.view());
    to.add(" ");
    to.add(names_of(e.kind).service);
    to.add(" ");
    add_client(to);
    to.add(" ");
    add_summary(to);
    to.add("\n");
}

/// The combined format of Apache: others than HTTP have `-` for the status.
void format_combined(line_writer& to, local_time at) {
    const auto& e = to.event();
    const auto before = to.out().size();
    e.client.append_host(to.out());
    if (to.out().size() == before) to.add("-");
    to.add(" - ");
    to.add_word(e.user, to.limits.word);
    to.add(" [");
    add_apache_time(to.out(), at);
    to.add("] \"");
    add_request(to);
    if (e.kind == access_kind::request && !e.what.empty()) {
        to.add(" HTTP/");
        to.add(version_of(e));
    }
    to.add("\" ");
    if (e.status > 0) {
        add_number(to.out(), e.status);
    } else {
        to.add("-");
    }
    to.add(" ");
    if (e.sent > 0) {
        add_number(to.out(), e.sent);
    } else {
        to.add("-");
    }
    to.add(" \"");
    to.add_quoted(e.referrer.empty() ? "-" : e.referrer, to.limits.field);
    to.add("\" \"");
    to.add_quoted(e.agent.empty() ? "-" : e.agent, to.limits.field);
    to.add("\"\n");
}

/// Fields of the Elastic Common Schema, as far as it has them.
void format_json(line_writer& to, local_time at) {
    const auto& e = to.event();
    const auto& n = names_of(e.kind);
    to.add(R"({"@timestamp":")");
    add_timestamp(to.out(), at);
    to.add("\"");
    to.add_json("ecs.version", "8.11.0", to.limits.word);
    to.add_json("event.dataset", "sluice.access", to.limits.word);
    to.add_json("event.id", model::event_id_text{e.id}.view(), to.limits.word);
    to.add_json("event.action", n.action, to.limits.word);
    to.add_json("event.outcome", e.failed() ? "failure" : "success", to.limits.word);
    to.add_json("event.reason", e.reason, to.limits.field);
    to.add_json("event.duration",
                static_cast<std::uint64_t>(std::max<std::int64_t>(e.took.count(), 0)));
    to.add_json("service.name", n.service, to.limits.word);
    if (e.client.family() != AF_UNSPEC) {
        to.add(R"(,"client.address":")");
        e.client.append_host(to.out());
        to.add("\"");
        if (!e.client.is_unix()) to.add_json("client.port", e.client.port());
    }
    to.add_json("user.name", e.user, to.limits.word);
    if (e.kind == access_kind::request) {
        to.add_json("http.version", version_of(e), to.limits.word);
        to.add_json("http.request.method", e.method, to.limits.word);
        const auto path = e.what.substr(0, e.what.find('?'));
        to.add_json(n.what, path, to.limits.what);
        if (path.size() < e.what.size()) {
            to.add_json("url.query", e.what.substr(path.size() + 1), to.limits.field);
        }
        to.add_json("http.request.body.bytes", e.received);
        if (e.status > 0) to.add_json("http.response.status_code", e.status);
        to.add_json("http.response.body.bytes", e.sent);
        to.add_json("http.request.referrer", e.referrer, to.limits.field);
        to.add_json("user_agent.original", e.agent, to.limits.field);
    } else {
        to.add_json(n.what, e.what, to.limits.what);
        to.add_json("client.bytes", e.received);
        to.add_json("server.bytes", e.sent);
    }
    to.add("}\n");
}

/// As systemd.journal-fields(7) and the journal's native protocol have it.
void format_entry(line_writer& to) {
    const auto& e = to.event();
    const auto& n = names_of(e.kind);
    constexpr std::uint64_t warning = 4;
    constexpr std::uint64_t information = 6;
    to.add("MESSAGE=");
    to.add(n.service);
    to.add(" ");
    add_client(to);
    to.add(" ");
    add_summary(to);
    to.add("\n");
    to.add_entry("PRIORITY", e.status >= 500 ? warning : information);
    to.add_entry("SYSLOG_IDENTIFIER", "sluice", to.limits.word);
    to.add_entry("SLUICE_ID", model::event_id_text{e.id}.view(), to.limits.word);
    to.add_entry("SLUICE_SERVICE", n.service, to.limits.word);
    to.add_entry("SLUICE_ACTION", n.action, to.limits.word);
    to.add("SLUICE_CLIENT=");
    e.client.append_host(to.out());
    to.add("\n");
    if (!e.client.is_unix()) to.add_entry("SLUICE_CLIENT_PORT", e.client.port());
    to.add_entry("SLUICE_USER", e.user, to.limits.word);
    to.add_entry("SLUICE_METHOD", e.method, to.limits.word);
    to.add_entry(n.journal, e.what, to.limits.what);
    if (e.status > 0) to.add_entry("SLUICE_STATUS", e.status);
    to.add_entry("SLUICE_OUTCOME", e.failed() ? "failure" : "success", to.limits.word);
    to.add_entry("SLUICE_REASON", e.reason, to.limits.field);
    to.add_entry("SLUICE_BYTES_IN", e.received);
    to.add_entry("SLUICE_BYTES_OUT", e.sent);
    to.add_entry("SLUICE_DURATION_US",
                 static_cast<std::uint64_t>(std::max<std::int64_t>(e.took.count(), 0)) / 1000);
    to.add_entry("SLUICE_REFERRER", e.referrer, to.limits.field);
    to.add_entry("SLUICE_USER_AGENT", e.agent, to.limits.field);
    to.out() += '\0';
}

}  // namespace

local_time local_time_of(std::chrono::system_clock::time_point when) noexcept {
    struct last_second {
        std::time_t second = -1;
        seconds offset{};
    };
    static thread_local last_second last;
    const auto second = std::chrono::system_clock::to_time_t(floor<seconds>(when));
    if (second != last.second) {
        std::tm local{};
        last.offset =
            ::localtime_r(&second, &local) == nullptr ? seconds{} : seconds{local.tm_gmtoff};
        last.second = second;
    }
    return {when, last.offset};
}

bool format_access(std::string& out, access_format format, const access_event& e, local_time at) {
    bool was_cut = false;
    for (const auto& most : {usual, short_cuts}) {
        out.clear();
        line_writer to{out, e, most};
        switch (format) {
            case access_format::text: format_text(to, at); break;
            case access_format::json: format_json(to, at); break;
            case access_format::combined: format_combined(to, at); break;
            case access_format::journal: format_entry(to); break;
        }
        was_cut = to.was_cut();
        if (out.size() <= longest_access_line) break;
    }
    return was_cut;
}

}  // namespace sluice::cli
