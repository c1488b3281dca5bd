// Implements the process of the supervisor.
#include "sluice/cli/supervisor_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/parse_number.hpp"
#include "sluice/cli/inherited_sockets.hpp"
#include "sluice/cli/text_file.hpp"
#include "sluice/net/unix_listener.hpp"
#include "sluice/os/child_process.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/descriptor_passing.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

// A successor reads files and opens directories before it serves.
constexpr auto start_limit = std::chrono::seconds{60};

/// A file to remove, if it is still the same.
struct kept_file {
    unique_fd directory;
    std::string name;
    std::string place;  ///< the name that it is to have, once this is confirmed
    dev_t device = 0;
    ino_t inode = 0;

    /// Against a server that is about to replace what lies there.
    [[nodiscard]] unique_fd lock_directory() const noexcept {
        os::kernel& sys = os::sys();
        unique_fd locked{sys.openat(directory.get(), ".", O_RDONLY | O_CLOEXEC)};
        if (locked) sys.flock(locked.get(), LOCK_EX);
        return locked;
    }
    [[nodiscard]] bool is_in_place() const noexcept { return name == place; }
    /// 0, or an errno.
    [[nodiscard]] int put_in_place() {
        const auto locked = lock_directory();
        const int failed =
            os::sys().renameat2(directory.get(), name.c_str(), directory.get(), place.c_str(), 0);
        if (failed == 0) name = place;
        return -failed;
    }
    void remove() const noexcept {
        os::kernel& sys = os::sys();
        const auto locked = lock_directory();
        struct stat now{};
        if (sys.fstatat(directory.get(), name.c_str(), now, AT_SYMLINK_NOFOLLOW) < 0) return;
        if (now.st_dev != device || now.st_ino != inode) return;
        sys.unlinkat(directory.get(), name.c_str(), 0);
    }
};

/// The next word of `rest`, which it is taken from.
std::string_view next_word(std::string_view& rest, char end) noexcept {
    const auto at = std::min(rest.find(end), rest.size());
    const auto word = rest.substr(0, at);
    rest.remove_prefix(std::min(at + 1, rest.size()));
    return word;
}

/// A program that is started, until it serves or ends.
struct successor {
    os::child_process process;
    unique_fd answers;
    os::clock::time_point until;
};

class process {
 public:
    process(unique_fd socket, const sigset_t& signals)
        : socket_{std::move(socket)}, signals_{signals} {
        const auto line = read_text("/proc/self/cmdline");
        std::string_view rest = line ? std::string_view{*line} : std::string_view{};
        while (!rest.empty()) arguments_.emplace_back(next_word(rest, '\0'));
        if (arguments_.empty()) return;
        path_ = arguments_.front();
        // Found by PATH: the file that it was then, whatever lies there later.
        if (!path_.contains('/')) {
            std::array<char, 4096> target{};
            const auto size = os::sys().readlinkat(AT_FDCWD, "/proc/self/exe", target);
            if (size > 0) path_.assign(target.data(), static_cast<std::size_t>(size));
        }
    }

    void run() {
        while (wait()) {
            auto message = os::receive_message(socket_.get());
            if (!message && message.error().is(EAGAIN)) continue;
            if (!message || message->text.empty()) break;
            handle(*message);
        }
        for (const auto& each : files_) {
            if (is_confirmed_ || !each.is_in_place()) each.remove();
        }
    }

 private:
    /// Until a message waits; what a successor says meanwhile is passed on. False if waiting fails.
    bool wait() {
        for (;;) {
            std::array<pollfd, 2> watched{
                pollfd{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                pollfd{.fd = next_ ? next_->answers.get() : -1, .events = POLLIN, .revents = 0}};
            const timespec left =
                next_ ? os::timespec_of(next_->until - os::clock::now()) : timespec{};
            const int n = os::sys().ppoll(watched, next_ ? &left : nullptr);
            if (n == -EINTR) continue;
            if (n < 0) return false;
            if (next_ && (watched[1].revents != 0 || n == 0)) settle();
            if (watched[0].revents != 0) return true;
        }
    }

    /// The successor serves, or has ended, or has had all its time.
    void settle() {
        const auto answer = os::receive_message(next_->answers.get());
        if (answer && answer->text == "R") {
            // It has the files now.
            files_.clear();
            reply(successor_serves, fmt::to_string(next_->process.pid()));
            next_->process.release();
        } else if (answer && answer->text.empty()) {
            reply(successor_failed, os::how_it_ended(next_->process.reap()));
        } else {
            reply(successor_failed, fmt::format("did not serve within {} s", start_limit.count()));
        }
        next_.reset();
    }

    void reply(char what, std::string_view rest) {
        static_cast<void>(os::send_message(socket_.get(), what + std::string{rest}));
    }

    void handle(os::descriptor_message& message) {
        const auto rest = std::string_view{message.text}.substr(1);
        switch (message.text.front()) {
            case keep_file:
                if (is_sealed_ || message.descriptors.size() != 1) return;
                return keep(rest, std::move(message.descriptors.front()));
            case start_program: return start(rest, std::move(message.descriptors));
            case await_confirmation: is_confirmed_ = false; return;
            case confirmed: return confirm();
            case sealed: is_sealed_ = true; return;
            default: return;
        }
    }

    void keep(std::string_view rest, unique_fd directory) {
        const auto device = parse_number<dev_t>(next_word(rest, ' '));
        const auto inode = parse_number<ino_t>(next_word(rest, ' '));
        if (!device || !inode) return;
        const auto name = next_word(rest, '/');
        files_.push_back({.directory = std::move(directory),
                          .name = std::string{name},
                          .place = std::string{rest},
                          .device = *device,
                          .inode = *inode});
    }

    void confirm() {
        is_confirmed_ = true;
        int failed = 0;
        bool any = false;
        for (auto& each : files_) {
            if (each.is_in_place()) continue;
            any = true;
            if (const int why = each.put_in_place(); why != 0) failed = why;
        }
        if (any) reply(placed, fmt::to_string(failed));
    }

    void start(std::string_view names, std::vector<unique_fd> sockets) {
        if (next_) return reply(successor_failed, "is being started already");
        if (path_.empty()) return reply(successor_failed, "cannot be found without /proc");
        auto answers = os::make_message_pair();
        if (!answers) return reply(successor_failed, answers.error().message());
        sockets.push_back(std::move(answers->other));
        const auto given = std::string{names} + std::string{inherited_sockets::successor_name};
        const pid_t child = os::sys().fork();
        if (child == 0) become_successor(given, sockets);
        if (child < 0) return reply(successor_failed, error::system(-child).message());
        auto adopted = os::child_process::adopt(child);
        if (!adopted) return reply(successor_failed, adopted.error().message());
        next_.emplace(std::move(*adopted), std::move(answers->one), os::clock::now() + start_limit);
    }

    [[noreturn]] void become_successor(const std::string& names,
                                       std::vector<unique_fd>& sockets) noexcept try {
        os::kernel& sys = os::sys();
        constexpr int first = 3;
        const int behind = first + static_cast<int>(sockets.size());
        // Out of the way first, as each is put where another may be.
        for (auto& each : sockets) each.reset(sys.fcntl(each.get(), F_DUPFD_CLOEXEC, behind));
        for (int i = first; i < behind; ++i)
            sys.dup2(sockets[static_cast<std::size_t>(i - first)].get(), i);
        std::vector<std::string> environment{fmt::format("LISTEN_PID={}", sys.getpid()),
                                             fmt::format("LISTEN_FDS={}", behind - first),
                                             "LISTEN_FDNAMES=" + names};
        for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
            const std::string_view variable{*each};
            if (variable.starts_with("LISTEN_")) continue;
            environment.emplace_back(variable.starts_with("WATCHDOG_PID=")
                                         ? fmt::format("WATCHDOG_PID={}", sys.getpid())
                                         : std::string{variable});
        }
        const auto pointers_to = [](std::vector<std::string>& strings) {
            std::vector<char*> all;
            all.reserve(strings.size() + 1);
            for (auto& each : strings) all.push_back(each.data());
            all.push_back(nullptr);
            return all;
        };
        const auto arguments = pointers_to(arguments_);
        const auto variables = pointers_to(environment);
        sys.mask_signals(SIG_SETMASK, &signals_, nullptr);
        sys.execve(path_.c_str(), arguments.data(), variables.data());
        os::exit_at_once(cannot_be_run);
    } catch (const std::exception&) {
        os::exit_at_once(cannot_be_run);
    }

    static constexpr int cannot_be_run = 127;  // as a shell says it

    unique_fd socket_;
    sigset_t signals_;
    std::string path_;
    std::vector<std::string> arguments_;
    std::vector<kept_file> files_;
    bool is_confirmed_ = true;
    bool is_sealed_ = false;
    std::optional<successor> next_;
};

}  // namespace

void run_supervisor(unique_fd socket, const sigset_t& signals) noexcept {
    os::kernel& sys = os::sys();
    // Nothing else of the server stays open here: its clients and managers wait for the end.
    const auto own = static_cast<unsigned>(socket.get());
    constexpr unsigned first = STDERR_FILENO + 1;
    if (own > first) sys.close_range(first, own - 1);
    sys.close_range(own + 1, ~0U);
    sys.prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("sluice-superv"));
    try {
        process{std::move(socket), signals}.run();
    } catch (const std::exception&) {
        os::exit_at_once(EXIT_FAILURE);
    }
    os::exit_at_once(EXIT_SUCCESS);
}

}  // namespace sluice::cli
