// Implements the runner over fork(2).
#include "tests/worlds/runner.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace sluice::worlds {
namespace {

// Of real time: a run takes milliseconds, and under a sanitizer some hundred.
constexpr unsigned seconds_of_a_run = 60;

std::string text_of(int file) {
    std::string text;
    std::array<char, 16'384> piece{};
    ::lseek(file, 0, SEEK_SET);
    for (ssize_t n = 0; (n = ::read(file, piece.data(), piece.size())) > 0;) {
        text.append(piece.data(), static_cast<std::size_t>(n));
    }
    return text;
}

}  // namespace

runner::runner(unsigned jobs) {
    void* memory = ::mmap(nullptr, sizeof(shared_memory), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc{};
    shared_ = ::new (memory) shared_memory{};
    count_rare_paths(shared_->taken);
    jobs_.resize(std::clamp<std::size_t>(jobs, 1, shared_->hashes.size()));
    for (job& each : jobs_) each.output = ::memfd_create("output", MFD_CLOEXEC);
}

runner::~runner() {
    for (job& each : jobs_) ::close(each.output);
}

void runner::begin(const world& w, const setting& how, std::size_t slot) {
    job& mine = jobs_[slot];
    mine.how = how;
    static_cast<void>(::ftruncate(mine.output, 0));
    ::lseek(mine.output, 0, SEEK_SET);
    std::fflush(nullptr);
    mine.process = ::fork();
    if (mine.process != 0) return;
    ::dup2(mine.output, STDOUT_FILENO);
    ::dup2(mine.output, STDERR_FILENO);
    ::alarm(seconds_of_a_run);
    shared_->hashes[slot] = worlds::run(w, how);
    ::_exit(EXIT_SUCCESS);
}

run_result runner::end(std::size_t slot, int status) {
    job& mine = jobs_[slot];
    mine.process = -1;
    run_result v{.passed = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS,
                 .hash = shared_->hashes[slot],
                 .said = {}};
    if (!v.passed || mine.how.keep_trace) v.said = text_of(mine.output);
    if (WIFSIGNALED(status)) {
        v.said += WTERMSIG(status) == SIGALRM
                      ? fmt::format("no end after {} s of real time\n", seconds_of_a_run)
                      : fmt::format("ended by signal {} ({})\n", WTERMSIG(status),
                                    ::strsignal(WTERMSIG(status)));
    }
    return v;
}

run_result runner::run_one(const world& w, const setting& how) {
    begin(w, how, 0);
    int status = 0;
    ::waitpid(jobs_[0].process, &status, 0);
    return end(0, status);
}

void runner::run_many(const world& w, setting how, std::uint64_t count,
                      const std::function<bool(const setting&, const run_result&)>& ended) {
    std::size_t running = 0;
    bool more = true;
    while (more || running > 0) {
        for (std::size_t slot = 0; more && slot < jobs_.size(); ++slot) {
            if (jobs_[slot].process > 0) continue;
            if (count == 0) {
                more = false;
                break;
            }
            begin(w, how, slot);
            ++how.seed;
            --count;
            ++running;
        }
        if (running == 0) break;
        int status = 0;
        const int child = ::wait(&status);
        const auto found = std::ranges::find(jobs_, child, &job::process);
        if (found == jobs_.end()) continue;
        const setting of = found->how;
        --running;
        if (!ended(of, end(static_cast<std::size_t>(found - jobs_.begin()), status))) more = false;
    }
}

}  // namespace sluice::worlds
