// Implements the access log: formats events, and queues their lines for the writer.
#include "sluice/cli/access_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output_queue.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/shared_object.hpp"

namespace sluice::cli {
namespace {

using std::chrono::seconds;

constexpr std::array<std::pair<std::string_view, access_format>, 3> formats{
    {{"text", access_format::text},
     {"json", access_format::json},
     {"combined", access_format::combined}}};

constexpr mode_t mode_of_file = 0640;
constexpr std::string_view journal = "journal";
constexpr std::string_view journal_socket = "/run/systemd/journal/socket";
// Between two lines about lost events.
constexpr std::int64_t report_interval = 60;  // seconds

/// Opens the file of an access log, with O_NONBLOCK, which concerns FIFOs. A FIFO is opened for
/// reading too, so that it needs no reader: what is written waits in it for the next one. `more`
/// are flags of open(2).
result<unique_fd> open_to_add(const std::string& where, int more = 0) noexcept {
    struct stat found{};
    const bool is_fifo =
        os::sys().fstatat(AT_FDCWD, where.c_str(), found, 0) == 0 && S_ISFIFO(found.st_mode);
    const int flags =
        (is_fifo ? O_RDWR : O_WRONLY) | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | more;
    unique_fd file{os::sys().openat(AT_FDCWD, where.c_str(), flags, mode_of_file)};
    if (!file) return failure_of(-file.get());
    return file;
}

/// The same, which makes the file if there is none.
std::expected<unique_fd, std::string> open_file(const std::string& where) {
    auto file = open_to_add(where, O_CREAT);
    if (file) return std::move(*file);
    return std::unexpected{
        fmt::format("cannot write the access log {}: {}; name a file in a directory that can be "
                    "written, with --access-log",
                    in_quotes(where), file.error().message())};
}

/// Formats events on the thread that tells them, and queues the lines.
class queued_access_log final : public model::access_log {
 public:
    queued_access_log(const access_options& o, bool forks)
        : access_log{{.most_per_second = o.most_per_second, .forks = forks}},
          format_{o.format},
          followed_{forks && o.is_file() ? o.where : std::string{}} {}

    void set_format(access_format format) noexcept { format_ = format; }

    void write(const model::access_event& e) noexcept override {
        if (!followed_.empty()) follow_rotation();
        try {
            static thread_local std::string line;
            line.reserve(longest_access_line);
            if (format_access(line, format_, e, local_time_of(os::wall_clock_now()))) {
                shared_->cut.fetch_add(1, relaxed);
            }
            output().add(stream::access, line);
            // There is an event each second in which others are left out.
            report_losses(report_interval);
        } catch (const std::bad_alloc&) {
            shared_->without_memory.fetch_add(1, relaxed);
        }
    }

    /// The file has been opened again by its name. Processes that were forked before have the old
    /// one still.
    void note_rotation() noexcept { opened_ = shared_->rotations.fetch_add(1, relaxed) + 1; }

    /// Reports what was lost since the last report.
    void report_losses(std::int64_t at_most_every) {
        const auto lost = dropped();
        const auto limited = counted().limited.load(relaxed);
        if (lost + limited == shared_->reported.load(relaxed)) return;
        const auto now = std::chrono::floor<seconds>(io::clock::now().time_since_epoch()).count();
        if (auto last = shared_->last_report.load(relaxed);
            now - last < at_most_every ||
            !shared_->last_report.compare_exchange_strong(last, now, relaxed)) {
            return;
        }
        const auto known = shared_->reported.exchange(lost + limited, relaxed);
        log(log_level::warn,
            fmt::format("access log: {} more lines are missing: of all, {} were beyond "
                        "--access-rate, and {} were not taken by their file or reader",
                        grouped(lost + limited - known), grouped(limited), grouped(lost)));
    }

    void announce() const {
        announce_counters(
            "access log",
            std::array{counter{"written", counted().written, "lines"},
                       counter{"limited", counted().limited, "left out, beyond --access-rate"},
                       counter{"dropped", dropped(), "not taken by their file or reader"},
                       counter{"cut", shared_->cut, "written with fields cut short"}});
    }

 private:
    struct shared_state {
        std::atomic<std::uint64_t> rotations = 0;
        std::atomic<std::uint64_t> without_memory = 0;
        std::atomic<std::uint64_t> cut = 0;
        std::atomic<std::uint64_t> reported = 0;                   // of those limited and dropped
        std::atomic<std::int64_t> last_report = -report_interval;  // in seconds of the clock
    };

    /// Has this process write where the server does since it has opened the file again. Between
    /// two rotations there may be no file of that name, and the server alone makes one: this
    /// process writes to the old one until then.
    void follow_rotation() noexcept {
        const auto now = shared_->rotations.load(relaxed);
        if (now == opened_) return;
        auto file = open_to_add(followed_);
        if (file && output().replace_access(std::move(*file))) opened_ = now;
    }

    [[nodiscard]] std::uint64_t dropped() const noexcept {
        return shared_->without_memory.load(relaxed) + output().lost_of_access();
    }

    access_format format_;
    std::string followed_;      // the file that forked processes open again; empty: none do
    std::uint64_t opened_ = 0;  // the rotation since which this process has its file open
    shared_if_possible<shared_state> shared_;
};

std::unique_ptr<queued_access_log>& current() {
    static std::unique_ptr<queued_access_log> only;
    return only;
}

/// The socket of a journal: of this machine, or the one that is named, as in
/// `journal:/run/systemd/journal.web/socket`.
std::string_view journal_of(const access_options& o) noexcept {
    const std::string_view where = o.where;
    return where == journal ? journal_socket : where.substr(journal.size() + 1);
}

result<unique_fd> connect_to_journal(std::string_view path) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    if (path.size() >= sizeof to.sun_path) return failure_of(ENAMETOOLONG);
    std::memcpy(to.sun_path, path.data(), path.size());
    unique_fd socket{os::sys().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!socket) return failure_of(-socket.get());
    const int failed =
        os::sys().connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    if (failed < 0) return failure_of(-failed);
    return socket;
}

}  // namespace

bool access_options::is_journal() const noexcept {
    return where == journal || where.starts_with("journal:");
}

void add_access_options(CLI::App& command, access_options& into, const std::string& group) {
    constexpr std::uint64_t many = 1'000'000'000;
    command
        .add_option("--access-log", into.where,
                    "A line for each request, transfer, session and question: a file, which SIGHUP "
                    "opens again, - for stderr, journal, journal:SOCKET, off (off)")
        ->type_name("FILE")
        ->group(group);
    add_value(command, "--access-format", into.format, one_of{formats}, "FORMAT",
              "text, json (Elastic Common Schema), combined as Apache has it (text)")
        ->group(group);
    add_value(command, "--access-rate", into.most_per_second, count_from{0, many}, "N",
              "Lines a second for each kind of them, 0 for any number; more are counted (10000)")
        ->group(group);
}

model::access_log* access_log_of(const access_options& o, model::kind model) {
    if (!o.on()) return nullptr;
    auto& only = current();
    if (!only) only = std::make_unique<queued_access_log>(o, model == model::kind::fork);
    return only.get();
}

std::expected<void, std::string> open_access_log(const access_options& o) {
    if (!current()) return {};
    if (o.is_file()) {
        auto file = open_file(o.where);
        if (!file) return std::unexpected{file.error()};
        output().open_access(std::move(*file), access_target::file);
        return {};
    }
    if (o.is_journal()) {
        auto socket = connect_to_journal(journal_of(o));
        if (socket) {
            current()->set_format(access_format::journal);
            output().open_access(std::move(*socket), access_target::datagrams);
            return {};
        }
        log(log_level::warn,
            fmt::format("there is no journal at {} ({}), so the access log goes to standard error",
                        journal_of(o), socket.error().message()));
    }
    output().send_access_to_err();
    return {};
}

std::expected<void, std::string> reopen_access_log(const access_options& o) {
    if (!current() || !o.is_file()) return {};
    auto file = open_file(o.where);
    if (!file) return std::unexpected{file.error()};
    if (const auto done = output().replace_access(std::move(*file)); !done) {
        return std::unexpected{fmt::format("cannot write the access log {}: {}", in_quotes(o.where),
                                           done.error().message())};
    }
    current()->note_rotation();
    return {};
}

void report_lost_access_lines() {
    if (!current()) return;
    // The last lines are on their way: what is not taken of them counts, too.
    static_cast<void>(output().flush(std::chrono::milliseconds{200}));
    current()->report_losses(0);
}

void announce_access_log() {
    if (current()) current()->announce();
}

}  // namespace sluice::cli
