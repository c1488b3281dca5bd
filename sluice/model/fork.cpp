// Implements the fork model: forks, serves in the child, and reaps.
#include "sluice/model/fork.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/sanitizer.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/run.hpp"
#include "sluice/io/signal_handler.hpp"
#include "sluice/model/serve_connection.hpp"
#include "sluice/model/small_engine.hpp"
#include "sluice/os/directory_reader.hpp"
#include "sluice/os/signal_action.hpp"

namespace sluice::model {
namespace {

// Time for children to report finished work, such as a stored file, before they are killed.
constexpr auto kill_delay = std::chrono::milliseconds{250};

/// How many entries of a directory of proc(5) fit. `fits(directory, name)`.
template <class Predicate>
int count_in(const char* path, Predicate fits) noexcept {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    os::directory_reader reader{unique_fd{os::sys().openat(AT_FDCWD, path, flags)}};
    int count = 0;
    for (auto entry = reader.next(); entry && *entry != nullptr; entry = reader.next()) {
        const char* name = (*entry)->d_name;
        if (name[0] != '.' && fits(reader.fd(), name)) ++count;
    }
    return count;
}

int thread_count() noexcept {
    // ThreadSanitizer has a thread of its own, and handles it in a fork.
    return count_in("/proc/self/task", [](int, const char*) { return true; }) -
           (thread_sanitizer ? 1 : 0);
}

bool has_ring() noexcept {
    return count_in("/proc/self/fd", [](int directory, const char* name) {
               std::array<char, 64> target{};
               const auto size = os::sys().readlinkat(directory, name, target);
               return size > 0 &&
                      std::string_view{target.data(), static_cast<std::size_t>(size)}.contains(
                          "[io_uring]");
           }) > 0;
}

/// Blocks all signals while it lives: a handler would use state that is not the child's yet.
class all_signals_blocked {
 public:
    all_signals_blocked() noexcept {
        sigset_t all{};
        sigfillset(&all);
        os::sys().mask_signals(SIG_SETMASK, &all, &before_);
    }
    all_signals_blocked(const all_signals_blocked&) = delete;
    all_signals_blocked& operator=(const all_signals_blocked&) = delete;
    ~all_signals_blocked() { os::sys().mask_signals(SIG_SETMASK, &before_, nullptr); }

 private:
    sigset_t before_{};
};

/// Cancels a child that drains, at the end of its grace.
class drain_timer : io::timer {
 public:
    drain_timer(io::engine& engine, coro::context& root) noexcept
        : timer{[](timer& t) noexcept { static_cast<drain_timer&>(t).root_.cancel(); }},
          engine_{engine},
          root_{root} {}
    drain_timer(const drain_timer&) = delete;
    drain_timer& operator=(const drain_timer&) = delete;
    ~drain_timer() { engine_.timers().disarm(*this); }

    void set(io::duration from_now) noexcept {
        if (std::exchange(set_, true)) return;
        engine_.timers().arm(*this, io::after(io::clock::now(), from_now));
    }

 private:
    io::engine& engine_;
    coro::context& root_;
    bool set_ = false;
};

}  // namespace

std::expected<std::unique_ptr<server>, std::string> fork::make(io::engine& engine,
                                                               std::vector<endpoint> endpoints,
                                                               server_options o) {
    if (thread_count() > 1) {
        return std::unexpected{
            "the fork model cannot serve in a process with threads: a child would inherit their "
            "locks without them; fork before any thread is started"};
    }
    if (has_ring()) {
        return std::unexpected{
            "the fork model cannot serve in a process with an io_uring: a child would share it; "
            "fork before any ring is made"};
    }
    return std::unique_ptr<server>{new fork{engine, std::move(endpoints), std::move(o)}};
}

fork::fork(io::engine& engine, std::vector<endpoint> endpoints, server_options o)
    : server{engine, std::move(endpoints), std::move(o)}, kill_timer_{*this} {}

fork::~fork() {
    engine().timers().disarm(kill_timer_);
}

fork::kill_timer::kill_timer(fork& f) noexcept
    : timer{[](timer& t) noexcept { static_cast<kill_timer&>(t).owner.kill_all(SIGKILL); }},
      owner{f} {}

coro::task<result<void>> fork::serve() {
    const io::signal_handler children_end{engine(), SIGCHLD, [this](unsigned) { reap(); }};
    ready();
    auto end =
        co_await receive_clients([this](arrival client) { return receive(std::move(client)); });
    wait_for_clients();
    co_return end;
}

coro::task<result<void>> fork::receive(arrival client) {
    // Allocated before the fork, so that no child is missing here when it is reaped.
    auto node = children_.extract(children_.try_emplace(0).first);
    children_.reserve(children_.size() + 1);
    for (;;) {
        pid_t child = -1;
        {
            const all_signals_blocked signals_blocked;
            // Buffered output would be written by both processes.
            std::fflush(nullptr);
            const pid_t parent = os::sys().getpid();
            child = os::sys().fork();
            if (child == 0) run_child(std::move(client), parent);
            if (child > 0) {
                client_came(client.endpoint);
                client.socket.reset();
                node.key() = child;
                node.mapped() = std::move(client);
                children_.insert(std::move(node));
                co_return result<void>{};
            }
        }
        log().report(event_kind::process, [why = error::system(-child)] {
            return fmt::format("no process can be started ({}): the client waits until one can",
                               why.message());
        });
        ++counting().retries;
        const auto again = co_await pause().outcome();
        if (!again || !*again) co_return result<void>{};
    }
}

void fork::run_child(arrival client, pid_t parent) noexcept {
    os::sys().prctl(PR_SET_PDEATHSIG, SIGTERM);
    close_other_descriptors(client.socket.get());
    os::set_signal_action(SIGCHLD, SIG_DFL);
    // Ctrl-C goes to all processes of the terminal; the parent passes it on.
    os::set_signal_action(SIGINT, SIG_IGN);
    // The parent's handlers are not for the child, and neither is the default action.
    for (const int number : {SIGHUP, SIGUSR1, SIGUSR2}) os::set_signal_action(number, [](int) {});
    auto engine = make_small_engine();
    if (!engine) os::exit_at_once(EXIT_FAILURE);
    coro::context root{(*engine)->ready()};
    coro::context draining{root};
    {
        // The parent enforces the end of the grace too, unless it is gone.
        drain_timer deadline{**engine, root};
        const auto drain = [&] {
            draining.cancel();
            deadline.set(options().grace);
        };
        unsigned requests = 0;
        const io::signal_handler stop{**engine, SIGTERM, [&](unsigned times) {
                                          requests += times;
                                          if (requests > 1) return root.cancel();
                                          drain();
                                      }};
        sigset_t none{};
        sigemptyset(&none);
        os::sys().mask_signals(SIG_SETMASK, &none, nullptr);
        if (os::sys().getppid() != parent) drain();
        auto served = io::try_run(
            **engine,
            serve_connection(**engine, std::move(client.socket), draining, *client.serve, log(),
                             nothing{}, std::move(client.announced)),
            root);
        if (!served) report_shortage(log(), served.error());
    }
    std::fflush(nullptr);
    os::exit_at_once(EXIT_SUCCESS);
}

void fork::close_other_descriptors(int socket) const noexcept try {
    std::vector<int> kept = options().keep;
    kept.push_back(socket);
    std::ranges::sort(kept);
    unsigned from = STDERR_FILENO + 1;
    for (const int each : kept) {
        const auto fd = static_cast<unsigned>(each);
        if (fd > from) os::sys().close_range(from, fd - 1);
        from = std::max(from, fd + 1);
    }
    os::sys().close_range(from, ~0U);
} catch (const std::bad_alloc&) {
    os::exit_at_once(EXIT_FAILURE);
}

void fork::reap() noexcept {
    int status = 0;
    for (;;) {
        const pid_t child = os::sys().waitpid(-1, &status, WNOHANG);
        if (child <= 0) return;
        const auto found = children_.find(child);
        if (found == children_.end()) continue;
        const std::size_t endpoint = found->second.endpoint;
        children_.erase(found);
        client_left(endpoint);
        on_child_exit(child, status);
    }
}

void fork::on_child_exit(pid_t child, int status) noexcept {
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) return;
    if (now() == stage::ending) return;
    ++counting().crashed;
    log().report(event_kind::crash, [child, status] {
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
        engine().timers().arm(kill_timer_, io::after(io::clock::now(), kill_delay));
    }
}

void fork::kill_all(int number) noexcept {
    for (const auto& [child, client] : children_) os::sys().kill(child, number);
}

}  // namespace sluice::model
