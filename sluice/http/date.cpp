// Formats IMF-fixdate, and parses IMF-fixdate, RFC 850 and asctime dates.
#include "sluice/http/date.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "sluice/base/parse_number.hpp"
#include "sluice/http/text.hpp"
#include "sluice/os/clock.hpp"

namespace sluice::http {
namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> long_days{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

template <std::size_t N>
std::optional<unsigned> place_of(const std::array<std::string_view, N>& words,
                                 std::string_view word) noexcept {
    const auto found = std::ranges::find(words, word);
    if (found == words.end()) return std::nullopt;
    return static_cast<unsigned>(found - words.begin());
}

/// Reads a text from the front; ended_well() is false after any mismatch.
class reader {
 public:
    explicit reader(std::string_view text) noexcept : left_{text} {}

    void expect(std::string_view word) noexcept {
        good_ = good_ && left_.starts_with(word);
        skip(word.size());
    }
    unsigned number(std::size_t digits) noexcept {
        const auto value = parse_number(left_.substr(0, digits));
        good_ = good_ && value && left_.size() >= digits;
        skip(digits);
        return static_cast<unsigned>(value.value_or(0));
    }
    /// asctime pads a day of one digit with a blank.
    unsigned padded() noexcept {
        if (!left_.starts_with(' ')) return number(2);
        skip(1);
        return number(1);
    }
    template <std::size_t N>
    unsigned word(const std::array<std::string_view, N>& words, std::size_t length) noexcept {
        const auto found = place_of(words, left_.substr(0, length));
        good_ = good_ && found;
        skip(length);
        return found.value_or(0);
    }
    [[nodiscard]] bool ended_well() const noexcept { return good_ && left_.empty(); }

 private:
    void skip(std::size_t n) noexcept { left_.remove_prefix(std::min(n, left_.size())); }

    std::string_view left_;
    bool good_ = true;
};

struct parts {
    int year = 0;
    unsigned month = 0;  // from 0
    unsigned day = 0;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;

    void read_time(reader& from) noexcept {
        hour = from.number(2);
        from.expect(":");
        minute = from.number(2);
        from.expect(":");
        second = from.number(2);
    }
};

/// `Sun, 06 Nov 1994 08:49:37 GMT`
parts read_fixdate(reader& from) noexcept {
    parts p;
    from.word(days, 3);
    from.expect(", ");
    p.day = from.number(2);
    from.expect(" ");
    p.month = from.word(months, 3);
    from.expect(" ");
    p.year = static_cast<int>(from.number(4));
    from.expect(" ");
    p.read_time(from);
    from.expect(" GMT");
    return p;
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`: a year more than 50 years ahead is a past one.
parts read_rfc850(reader& from, std::size_t weekday_length) noexcept {
    constexpr int century = 100;
    constexpr int furthest = 50;
    parts p;
    from.word(long_days, weekday_length);
    from.expect(", ");
    p.day = from.number(2);
    from.expect("-");
    p.month = from.word(months, 3);
    from.expect("-");
    const int short_year = static_cast<int>(from.number(2));
    const int now =
        static_cast<int>(year_month_day{floor<std::chrono::days>(os::wall_clock_now())}.year());
    p.year = now - (now % century) + short_year;
    if (p.year > now + furthest) p.year -= century;
    from.expect(" ");
    p.read_time(from);
    from.expect(" GMT");
    return p;
}

/// `Sun Nov  6 08:49:37 1994`
parts read_asctime(reader& from) noexcept {
    parts p;
    from.word(days, 3);
    from.expect(" ");
    p.month = from.word(months, 3);
    from.expect(" ");
    p.day = from.padded();
    from.expect(" ");
    p.read_time(from);
    from.expect(" ");
    p.year = static_cast<int>(from.number(4));
    return p;
}

}  // namespace

std::string format_http_date(sys_seconds when) {
    const auto day = floor<std::chrono::days>(when);
    const year_month_day date{day};
    const hh_mm_ss time{when - day};
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[weekday{day}.c_encoding()],
                       static_cast<unsigned>(date.day()),
                       months[static_cast<unsigned>(date.month()) - 1],
                       static_cast<int>(date.year()), time.hours().count(), time.minutes().count(),
                       time.seconds().count());
}

std::optional<sys_seconds> parse_http_date(std::string_view text) {
    reader from{text};
    parts p;
    const auto comma = text.find(',');
    if (comma == 3) {
        p = read_fixdate(from);
    } else if (comma != std::string_view::npos) {
        p = read_rfc850(from, comma);
    } else {
        p = read_asctime(from);
    }
    const year_month_day date{year{p.year}, month{p.month + 1}, day{p.day}};
    // A leap second (60) counts as the first second of the next minute.
    if (!from.ended_well() || !date.ok() || p.hour > 23 || p.minute > 59 || p.second > 60) {
        return std::nullopt;
    }
    return sys_days{date} + hours{p.hour} + minutes{p.minute} + seconds{p.second};
}

}  // namespace sluice::http
