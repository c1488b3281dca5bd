// Children on three pipes each, and the thread that keeps them.
#include "sluice/service/compute/programs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/wire/framing.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::service {
namespace {

using namespace std::chrono_literals;

constexpr auto first_pause = 100ms;
constexpr auto longest_pause = 10s;
// What is said of a line that a program writes to stderr.
constexpr std::size_t longest_remark = 1000;

struct pipe_ends {
    unique_fd read;
    unique_fd write;
};

result<pipe_ends> make_pipe() noexcept {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) != 0) return failure_of(errno);
    return pipe_ends{unique_fd{fds[0]}, unique_fd{fds[1]}};
}

void set_nonblocking(const unique_fd& fd) noexcept {
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

/// Whether execvp(3) would find `name`.
bool can_be_run(const std::string& name) {
    if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0;
    const char* path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/bin:/usr/bin";
    while (!rest.empty()) {
        const auto end = std::min(rest.find(':'), rest.size());
        const auto folder = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (::access(fmt::format("{}/{}", folder, name).c_str(), X_OK) == 0) return true;
    }
    return false;
}

/// What a wait for a program came to.
enum class waited : std::uint8_t { ready, ended, too_long };

/// Waits for `events` on a pipe of the process `pidfd`, which others may hold open when it ends.
waited wait_for(int fd, short events, int pidfd, io::time_point until) noexcept {
    for (;;) {
        std::array<pollfd, 2> watched{{{fd, events, 0}, {pidfd, POLLIN, 0}}};
        const timespec left = io::time_left(until);
        const int n =
            ::ppoll(watched.data(), watched.size(), until == io::never ? nullptr : &left, nullptr);
        if (n == 0) return waited::too_long;
        if (n < 0 && errno == EINTR) continue;
        return watched[0].revents == 0 ? waited::ended : waited::ready;
    }
}

/// The error of a wait that brought nothing.
error why_not(waited w) noexcept {
    return w == waited::too_long ? fault::timed_out : fault::closed;
}

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status)) {
        return fmt::format("ended by signal {} ({})", WTERMSIG(status),
                           ::strsignal(WTERMSIG(status)));
    }
    return fmt::format("ended with status {}", WEXITSTATUS(status));
}

/// What posix_spawn(3) is told, freed with its scope.
class spawning {
 public:
    spawning() noexcept {
        posix_spawn_file_actions_init(&actions_);
        posix_spawnattr_init(&attributes_);
    }
    spawning(const spawning&) = delete;
    spawning& operator=(const spawning&) = delete;
    ~spawning() {
        posix_spawnattr_destroy(&attributes_);
        posix_spawn_file_actions_destroy(&actions_);
    }

    void put(const unique_fd& fd, int at) noexcept {
        posix_spawn_file_actions_adddup2(&actions_, fd.get(), at);
    }
    /// A group of its own, and signals as a program expects them.
    void set_apart() noexcept {
        sigset_t none{};
        sigset_t all{};
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
        posix_spawnattr_setpgroup(&attributes_, 0);
        posix_spawnattr_setflags(
            &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    }
    /// The child, or the errno.
    [[nodiscard]] result<pid_t> run(std::vector<std::string>& command) noexcept {
        std::vector<char*> words;
        words.reserve(command.size() + 1);
        for (auto& each : command) words.push_back(each.data());
        words.push_back(nullptr);
        pid_t child = 0;
        const int error =
            posix_spawnp(&child, words.front(), &actions_, &attributes_, words.data(), environ);
        if (error != 0) return failure_of(error);
        return child;
    }

 private:
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

}  // namespace

/// One place for a program. Its pipes are the asker's while it is busy, else the keeper's.
struct programs::child {
    pid_t pid = 0;  // 0: none runs
    unique_fd pidfd;
    unique_fd to;
    unique_fd from;
    unique_fd errors;
    bool busy = false;
    bool doomed = false;  // killed, or to be given up when it is no longer busy
    unsigned failures = 0;
    io::time_point retry = io::time_point::min();
    std::string remark;  // the beginning of a line on stderr

    [[nodiscard]] bool alive() const noexcept { return pid > 0 && !doomed; }
    /// One that is being ended and started again at once is worth waiting for.
    [[nodiscard]] bool expected() const noexcept { return pid > 0 || retry <= io::clock::now(); }
};

std::expected<std::unique_ptr<programs>, std::string> programs::make(programs_options o) {
    check(!o.command.empty() && o.count > 0, "programs need a command and a number");
    if (!can_be_run(o.command.front())) {
        return std::unexpected{fmt::format(
            "there is no program '{}' that can be run; give a path, or a name that is in PATH",
            wire::printable(o.command.front()))};
    }
    return std::unique_ptr<programs>{new programs{std::move(o)}};
}

programs::programs(programs_options o) : options_{std::move(o)} {}

programs::~programs() {
    shut();
    if (keeper_.joinable()) keeper_.join();
}

void programs::start() {
    const std::lock_guard lock{mutex_};
    if (started_ || shut_) return;
    bell_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    started_ = true;
    children_.resize(options_.count);
    for (auto& each : children_) static_cast<void>(spawn(each));
    keeper_ = std::thread{[this] { keep(); }};
}

result<std::string> programs::ask(std::string_view question) {
    start();
    const auto until = io::after(io::clock::now(), options_.deadline);
    auto one = acquire(until);
    if (!one) return failure(one.error());
    auto answer = exchange(**one, question, until);
    release(**one, answer.has_value());
    return answer;
}

void programs::shut() noexcept {
    const std::lock_guard lock{mutex_};
    shut_ = true;
    for (auto& each : children_) {
        if (each.pid > 0) ::kill(-each.pid, SIGKILL);
        each.doomed = true;
    }
    free_.notify_all();
    ring();
}

unsigned programs::running() const {
    const std::lock_guard lock{mutex_};
    return static_cast<unsigned>(std::ranges::count_if(children_, &child::alive));
}

bool programs::any_expected() const noexcept {
    return std::ranges::any_of(children_, &child::expected);
}

result<programs::child*> programs::acquire(io::time_point until) {
    std::unique_lock lock{mutex_};
    const auto idle = [](const child& c) { return c.alive() && !c.busy; };
    bool waits = false;
    for (;;) {
        const auto found = std::ranges::find_if(children_, idle);
        const bool over = found != children_.end() || shut_ || !any_expected();
        if (over && waits) --waiting_;
        if (found != children_.end()) {
            found->busy = true;
            return &*found;
        }
        if (over) return failure(fault::closed);
        if (!waits) {
            if (waiting_ == options_.queue) return failure(fault::queue_full);
            waits = true;
            ++waiting_;
        }
        if (until == io::never) {
            free_.wait(lock);
        } else if (free_.wait_until(lock, until) == std::cv_status::timeout) {
            --waiting_;
            return failure(fault::timed_out);
        }
    }
}

void programs::release(child& c, bool sound) {
    const std::lock_guard lock{mutex_};
    c.busy = false;
    if (sound) {
        c.failures = 0;
    } else {
        // What it would still say belongs to a question that is over. Its group: what it
        // started in turn ends with it.
        c.doomed = true;
        ::kill(-c.pid, SIGKILL);
        ring();
    }
    free_.notify_one();
}

result<std::string> programs::exchange(child& c, std::string_view question,
                                       io::time_point until) const {
    std::string line;
    wire::append_framed(line, question, true);
    for (std::string_view rest = line; !rest.empty();) {
        const auto n = ::write(c.to.get(), rest.data(), rest.size());
        if (n > 0) {
            rest.remove_prefix(static_cast<std::size_t>(n));
        } else if (errno != EAGAIN && errno != EINTR) {
            return failure(fault::closed);
        } else {
            const auto w = wait_for(c.to.get(), POLLOUT, c.pidfd.get(), until);
            if (w != waited::ready) return failure(why_not(w));
        }
    }
    std::string answer;
    std::array<char, 4096> room{};
    for (;;) {
        const auto w = wait_for(c.from.get(), POLLIN, c.pidfd.get(), until);
        if (w != waited::ready) return failure(why_not(w));
        const auto n = ::read(c.from.get(), room.data(), room.size());
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (n <= 0) return failure(fault::closed);
        answer.append(room.data(), static_cast<std::size_t>(n));
        const auto end = answer.find('\n');
        if (end == std::string::npos && answer.size() <= options_.max_line) continue;
        // More than a line: nobody could tell to which question the rest belongs.
        if (end != answer.size() - 1) return failure(fault::closed);
        answer.pop_back();
        if (answer.ends_with('\r')) answer.pop_back();
        return answer;
    }
}

bool programs::spawn(child& c) {
    auto in = make_pipe();
    auto out = make_pipe();
    auto err = make_pipe();
    result<pid_t> pid = failure_of(EMFILE);
    if (in && out && err) {
        spawning how;
        how.put(in->read, STDIN_FILENO);
        how.put(out->write, STDOUT_FILENO);
        how.put(err->write, STDERR_FILENO);
        how.set_apart();
        pid = how.run(options_.command);
    }
    if (!pid) {
        ++c.failures;
        c.retry = io::after(io::clock::now(), longest_pause);
        if (options_.trouble) {
            options_.trouble(fmt::format("cannot start {}: {}; it is tried again in 10 s",
                                         options_.command.front(), pid.error().message()));
        }
        return false;
    }
    c.pid = *pid;
    c.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
    ::fcntl(c.pidfd.get(), F_SETFD, FD_CLOEXEC);
    c.to = std::move(in->write);
    c.from = std::move(out->read);
    c.errors = std::move(err->read);
    for (const auto* each : {&c.to, &c.from, &c.errors}) set_nonblocking(*each);
    c.doomed = false;
    c.remark.clear();
    return true;
}

void programs::keep() {
    sigset_t all{};
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    for (;;) {
        io::time_point next{};
        {
            const std::lock_guard lock{mutex_};
            if (shut_ && std::ranges::all_of(children_, [](const child& c) { return c.pid == 0; }))
                return;
            next = revive(io::clock::now());
        }
        watch(next);
    }
}

io::time_point programs::revive(io::time_point now) {
    auto next = io::never;
    if (shut_) return next;
    for (auto& each : children_) {
        if (each.pid > 0) continue;
        if (each.retry <= now && spawn(each)) {
            free_.notify_one();
        } else {
            next = std::min(next, each.retry);
            free_.notify_all();
        }
    }
    return next;
}

void programs::watch(io::time_point until) {
    std::vector<pollfd> watched{{.fd = bell_.get(), .events = POLLIN, .revents = 0}};
    {
        const std::lock_guard lock{mutex_};
        for (const auto& each : children_) {
            // One that ended while it is asked is buried when its asker has let go of it.
            const bool hands_off = each.pid == 0 || each.busy;
            watched.push_back(
                {.fd = hands_off ? -1 : each.pidfd.get(), .events = POLLIN, .revents = 0});
            watched.push_back(
                {.fd = each.pid == 0 ? -1 : each.errors.get(), .events = POLLIN, .revents = 0});
        }
    }
    const timespec left = io::time_left(until);
    ::ppoll(watched.data(), watched.size(), until == io::never ? nullptr : &left, nullptr);
    std::uint64_t rings = 0;
    static_cast<void>(::read(bell_.get(), &rings, sizeof rings));
    const std::lock_guard lock{mutex_};
    for (std::size_t i = 0; i < children_.size(); ++i) {
        if (watched[2 * i + 2].revents != 0) hear(children_[i], false);
        if (watched[2 * i + 1].revents != 0 && !children_[i].busy) bury(children_[i]);
    }
}

void programs::hear(child& c, bool all) {
    std::array<char, 4096> room{};
    for (;;) {
        const auto n = ::read(c.errors.get(), room.data(), room.size());
        if (n <= 0) {
            // Closed while it goes on: there is nothing more to hear.
            if (n == 0) c.errors.reset();
            break;
        }
        c.remark.append(room.data(), static_cast<std::size_t>(n));
        for (auto end = c.remark.find('\n');
             end != std::string::npos || c.remark.size() > longest_remark;
             end = c.remark.find('\n')) {
            const auto length = std::min({end, c.remark.size(), longest_remark});
            if (options_.heard) {
                options_.heard(
                    fmt::format("{} ({}): {}", options_.command.front(), c.pid,
                                wire::printable(std::string_view{c.remark}.substr(0, length))));
            }
            c.remark.erase(0, length + (length == end ? 1 : 0));
        }
        if (!all) break;
    }
}

void programs::bury(child& c) {
    int status = 0;
    if (::waitpid(c.pid, &status, WNOHANG) != c.pid) return;
    if (c.errors) hear(c, true);
    ++c.failures;
    const auto doublings = std::min(c.failures, 10U);
    const io::duration pause =
        c.failures == 1
            ? io::duration{}
            : std::min<io::duration>(first_pause * (1U << (doublings - 2)), longest_pause);
    c.retry = io::after(io::clock::now(), pause);
    if (!shut_ && options_.trouble) {
        options_.trouble(fmt::format(
            "{} ({}) {}; it is started again {}", options_.command.front(), c.pid,
            how_it_ended(status),
            pause == io::duration{}
                ? "at once"
                : fmt::format(
                      "in {} ms",
                      std::chrono::duration_cast<std::chrono::milliseconds>(pause).count())));
    }
    c.pid = 0;
    for (auto* each : {&c.pidfd, &c.to, &c.from, &c.errors}) each->reset();
    // Who waits for one of us may have nobody left to wait for.
    free_.notify_all();
}

void programs::ring() const noexcept {
    const std::uint64_t one = 1;
    if (bell_) static_cast<void>(::write(bell_.get(), &one, sizeof one));
}

}  // namespace sluice::service
