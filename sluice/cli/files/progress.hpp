// Shows the progress of a transfer: a bar, lines of JSON, or nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/files/client/progress.hpp"
#include "sluice/files/client/transfer_error.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/os/thread.hpp"
#include "sluice/term/progress_line.hpp"

namespace sluice::cli {

/// Values of --progress.
enum class progress_style : std::uint8_t {
    automatic,  ///< a bar if stderr is a terminal, else nothing
    bar,        ///< a bar, only on a terminal
    json,       ///< an object per line, on stderr
    none,
};
inline constexpr std::array<std::pair<std::string_view, progress_style>, 4> progress_style_names{
    {{"auto", progress_style::automatic},
     {"bar", progress_style::bar},
     {"json", progress_style::json},
     {"none", progress_style::none}}};

/// The rate of a transfer over its last three seconds, from samples of its byte count.
class pace {
 public:
    void update(io::time_point now, std::uint64_t bytes) noexcept;
    /// Bytes per second; 0 with fewer than two samples.
    [[nodiscard]] double rate() const noexcept;

 private:
    struct sample {
        io::time_point when;
        std::uint64_t bytes = 0;
    };
    static constexpr std::size_t most = 32;
    std::array<sample, most> samples_{};
    std::size_t count_ = 0;  // samples ever added
};

/// A snapshot of a transfer.
struct progress_report {
    std::string file;
    std::string_view phase;  ///< "connecting", "checking", "moving", "waiting", "keeping"
    std::uint64_t bytes = 0;
    std::uint64_t total = files::progress::unknown;
    std::uint64_t moved = 0;    ///< moved by this process, without the bytes of earlier ones
    std::uint64_t checked = 0;  ///< read for the digest
    double rate = 0;            ///< bytes per second, over the last three seconds
    double average = 0;         ///< bytes per second, since the first byte moved
};
/// Estimated seconds until the end; negative if unknown.
[[nodiscard]] double seconds_left(const progress_report& r) noexcept;
/// A line of at most `width` columns, without a newline.
[[nodiscard]] std::string as_bar(const progress_report& r, std::size_t width, bool colour);
/// `{"event":"progress","file":...}` as a line with its newline.
[[nodiscard]] std::string as_json(const progress_report& r);

/// Draws on a thread of its own while a file moves. All its functions belong to one thread.
class progress_display {
 public:
    explicit progress_display(progress_style style);
    progress_display(const progress_display&) = delete;
    progress_display& operator=(const progress_display&) = delete;
    ~progress_display();

    /// `file` is the name to show. `p` must live until end().
    void begin(std::string file, const files::progress& p);
    /// Reports that another attempt follows.
    void report_retry(const files::transfer_error& why, io::duration pause);
    /// Removes the bar; in JSON writes a last line with the final progress.
    void end();
    /// Whether all reports are in JSON.
    [[nodiscard]] bool in_json() const noexcept { return style_ == progress_style::json; }

 private:
    void draw_loop();
    void draw();
    [[nodiscard]] progress_report snapshot();

    term::progress_line line_;
    progress_style style_;
    bool colour_;
    os::mutex mutex_;
    os::condition ended_;
    os::thread drawer_;
    const files::progress* watched_ = nullptr;
    std::string file_;
    pace pace_;
    bool moves_ = false;
};

}  // namespace sluice::cli
