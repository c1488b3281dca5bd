// Forks, reaps, and what a child does.
#include "sluice/model/fork.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "sluice/base/sanitizer.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/run.hpp"
#include "sluice/model/attend.hpp"
#include "sluice/model/on_signal.hpp"
#include "sluice/model/small_engine.hpp"

namespace sluice::model {
namespace {

namespace fs = std::filesystem;

// Children that are told to end at once may say what they have done: a file that was stored is
// reported.
constexpr auto time_to_end = std::chrono::milliseconds{250};

std::ptrdiff_t threads_here() {
    std::error_code ignored;
    const fs::directory_iterator tasks{"/proc/self/task", ignored};
    // The thread sanitizer has a thread of its own, and sees it through a fork.
    return std::distance(begin(tasks), end(tasks)) - (thread_sanitizer ? 1 : 0);
}

bool has_ring() {
    std::error_code ignored;
    const fs::directory_iterator descriptors{"/proc/self/fd", ignored};
    return std::any_of(begin(descriptors), end(descriptors), [](const fs::directory_entry& each) {
        std::error_code gone;
        return fs::read_symlink(each.path(), gone).native().find("[io_uring]") != std::string::npos;
    });
}

/// Nothing is delivered while it lives: what a handler would touch is not the child's yet.
class all_signals_blocked {
 public:
    all_signals_blocked() noexcept {
        sigset_t all{};
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    all_signals_blocked(const all_signals_blocked&) = delete;
    all_signals_blocked& operator=(const all_signals_blocked&) = delete;
    ~all_signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
    sigset_t before_{};
};

/// When a child that was told to drain ends in any case.
class last_moment : io::timer {
 public:
    last_moment(io::engine& here, coro::context& everything) noexcept
        : timer{[](timer& t) noexcept { static_cast<last_moment&>(t).everything_.cancel(); }},
          here_{here},
          everything_{everything} {}
    last_moment(const last_moment&) = delete;
    last_moment& operator=(const last_moment&) = delete;
    ~last_moment() { here_.timers().disarm(*this); }

    void set(io::duration from_now) noexcept {
        if (std::exchange(set_, true)) return;
        here_.timers().arm(*this, io::after(io::clock::now(), from_now));
    }

 private:
    io::engine& here_;
    coro::context& everything_;
    bool set_ = false;
};

}  // namespace

std::expected<std::unique_ptr<server>, std::string> fork::make(io::engine& home,
                                                               std::vector<entrance> entrances,
                                                               options o) {
    if (threads_here() > 1) {
        return std::unexpected{
            "the fork model cannot serve in a process with threads: a child would inherit their "
            "locks without them; fork before any thread is started"};
    }
    if (has_ring()) {
        return std::unexpected{
            "the fork model cannot serve in a process with an io_uring: a child would share it; "
            "fork before any ring is made"};
    }
    return std::unique_ptr<server>{new fork{home, std::move(entrances), std::move(o)}};
}

fork::fork(io::engine& home, std::vector<entrance> entrances, options o)
    : server{home, std::move(entrances), std::move(o)}, kill_timer_{*this} {}

fork::~fork() {
    home().timers().disarm(kill_timer_);
}

fork::kill_timer::kill_timer(fork& f) noexcept
    : timer{[](timer& t) noexcept { static_cast<kill_timer&>(t).owner.kill_all(SIGKILL); }},
      owner{f} {}

coro::task<result<void>> fork::serve() {
    const on_signal children_end{home(), SIGCHLD, [this] { reap(); }};
    ready();
    for (;;) {
        auto client = co_await next_client();
        if (!client && survives(client.error())) {
            co_await io::sleep_for(home(), retry_interval);
            continue;
        }
        if (!client) {
            see_all_off();
            co_return failure(client.error());
        }
        const auto received = co_await receive(std::move(*client));
        if (!received) tell_shortage(told(), received.error());
    }
}

coro::task<result<void>> fork::receive(arrival client) {
    // A place for the child before there is one: what is not known here is never missed.
    auto place = children_.extract(children_.try_emplace(0).first);
    children_.reserve(children_.size() + 1);
    for (;;) {
        int error = 0;
        {
            const all_signals_blocked calm;
            // What stands in a buffer now would be written by both.
            std::fflush(nullptr);
            const pid_t parent = ::getpid();
            const pid_t child = ::fork();
            if (child == 0) live_as_child(std::move(client), parent);
            if (child > 0) {
                client_came(client.entrance);
                client.socket.reset();
                place.key() = child;
                place.mapped() = std::move(client);
                children_.insert(std::move(place));
                co_return result<void>{};
            }
            error = errno;
        }
        told().tell(trouble::process, [why = error::system(error)] {
            return fmt::format("no process can be started ({}): the client waits until one can",
                               why.message());
        });
        ++counting().retries;
        const auto again = co_await pause().outcome();
        if (!again || !*again) co_return result<void>{};
    }
}

void fork::live_as_child(arrival client, pid_t parent) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    close_what_is_not_ours(client.socket.get());
    std::signal(SIGCHLD, SIG_DFL);
    // Ctrl-C goes to all processes of the terminal; the parent passes it on.
    std::signal(SIGINT, SIG_IGN);
    // What the parent does at these is not the child's to do, nor to end by.
    for (const int parents : {SIGHUP, SIGUSR1, SIGUSR2}) std::signal(parents, [](int) {});
    auto here = make_small_engine();
    if (!here) ::_exit(EXIT_FAILURE);
    coro::context everything{(*here)->ready()};
    coro::context waiting{everything};
    {
        // The parent sees to the end of the grace too, unless it is gone.
        last_moment last{**here, everything};
        const auto drain = [&] {
            waiting.cancel();
            last.set(settings().grace);
        };
        unsigned asked = 0;
        const on_signal stop{**here, SIGTERM, [&] {
                                 if (++asked > 1) return everything.cancel();
                                 drain();
                             }};
        sigset_t none{};
        sigemptyset(&none);
        pthread_sigmask(SIG_SETMASK, &none, nullptr);
        if (::getppid() != parent) drain();
        auto served = io::try_run(
            **here, attend(**here, std::move(client.socket), waiting, *client.serve, told()),
            everything);
        if (!served) tell_shortage(told(), served.error());
    }
    std::fflush(nullptr);
    ::_exit(EXIT_SUCCESS);
}

void fork::close_what_is_not_ours(int socket) const noexcept {
    std::vector<int> ours = settings().keep;
    ours.push_back(socket);
    std::ranges::sort(ours);
    unsigned from = STDERR_FILENO + 1;
    for (const int each : ours) {
        const auto fd = static_cast<unsigned>(each);
        if (fd > from) ::close_range(from, fd - 1, 0);
        from = std::max(from, fd + 1);
    }
    ::close_range(from, ~0U, 0);
}

void fork::reap() noexcept {
    int status = 0;
    for (;;) {
        const pid_t child = ::waitpid(-1, &status, WNOHANG);
        if (child <= 0) return;
        const auto found = children_.find(child);
        if (found == children_.end()) continue;
        const std::size_t entrance = found->second.entrance;
        children_.erase(found);
        client_left(entrance);
        bury(child, status);
    }
}

void fork::bury(pid_t child, int status) noexcept {
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) return;
    if (now() == stage::ending) return;
    ++counting().crashed;
    told().tell(trouble::crash, [child, status] {
        return WIFSIGNALED(status)
                   ? fmt::format(
                         "process {} ended by signal {} ({}): its client was left, nobody "
                         "else",
                         child, WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                   : fmt::format(
                         "process {} ended with status {}: its client was left, nobody else", child,
                         WEXITSTATUS(status));
    });
}

void fork::pass_on(stage now) noexcept {
    kill_all(SIGTERM);
    if (now == stage::ending) {
        home().timers().arm(kill_timer_, io::after(io::clock::now(), time_to_end));
    }
}

void fork::kill_all(int number) noexcept {
    for (const auto& [child, client] : children_) ::kill(child, number);
}

}  // namespace sluice::model
