// Shows how far files are on their way: a bar for people, lines of JSON for programs, or nothing.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "sluice/files/client/progress.hpp"
#include "sluice/files/client/trouble.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::cli {

/// What --progress may say.
enum class progress_style : std::uint8_t {
    automatic,  ///< a bar if stderr is a terminal, else nothing
    bar,        ///< a bar, but only on a terminal
    json,       ///< an object a line, on stderr
    none,
};
inline constexpr std::array<std::pair<std::string_view, progress_style>, 4> progress_style_names{
    {{"auto", progress_style::automatic},
     {"bar", progress_style::bar},
     {"json", progress_style::json},
     {"none", progress_style::none}}};

/// How fast something moves now, from how far it was at the last few looks: the bytes of the last
/// three seconds by their time.
class pace {
 public:
    void look(io::time_point now, std::uint64_t bytes) noexcept;
    /// Bytes a second; 0 until there is something to say.
    [[nodiscard]] double rate() const noexcept;

 private:
    struct seen {
        io::time_point when;
        std::uint64_t bytes = 0;
    };
    static constexpr std::size_t most = 32;
    std::array<seen, most> looks_{};
    std::size_t count_ = 0;  // ever
};

/// What there is to say of a transfer at one moment.
struct progress_report {
    std::string file;
    std::string_view phase;  ///< "connecting", "checking", "moving", "waiting", "keeping"
    std::uint64_t bytes = 0;
    std::uint64_t total = files::progress::unknown;
    std::uint64_t moved = 0;    ///< by this process; what was there before is not
    std::uint64_t checked = 0;  ///< read for the digest
    double rate = 0;            ///< bytes a second, now
    double average = 0;         ///< since the first byte moved
};
/// Seconds until the end, if that can be told; else a negative number.
[[nodiscard]] double seconds_left(const progress_report& r) noexcept;
/// A line of at most `width` columns, without its end.
[[nodiscard]] std::string as_bar(const progress_report& r, std::size_t width, bool colour);
/// `{"event":"progress","file":...}` in one line, with its end.
[[nodiscard]] std::string as_json(const progress_report& r);

/// Draws from a thread of its own while a file moves. All its functions are for one thread.
class progress_display {
 public:
    explicit progress_display(progress_style style);
    progress_display(const progress_display&) = delete;
    progress_display& operator=(const progress_display&) = delete;
    ~progress_display();

    /// `file` is the name to show. `p` outlives end().
    void begin(std::string file, const files::progress& p);
    /// Says that there will be another attempt.
    void say_retry(const files::trouble& why, io::duration pause);
    /// Takes the bar away; the last line of JSON says how far it came.
    void end();
    /// Whether everything is to be said in JSON.
    [[nodiscard]] bool in_json() const noexcept { return style_ == progress_style::json; }

 private:
    void draw_again_and_again();
    void draw();
    void clear();
    [[nodiscard]] progress_report look();

    progress_style style_;
    bool colour_;
    std::mutex mutex_;
    std::condition_variable ended_;
    std::thread drawer_;
    const files::progress* watched_ = nullptr;
    std::string file_;
    pace pace_;
    bool moves_ = false;
    bool drawn_ = false;
};

}  // namespace sluice::cli
