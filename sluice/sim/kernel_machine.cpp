// Implements the calls of the simulated kernel for memory, clocks, random numbers and threads.
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "sluice/sim/file_description.hpp"
#include "sluice/sim/memory_file.hpp"
#include "sluice/sim/simulated_kernel.hpp"
#include "sluice/sim/uring.hpp"

namespace sluice::sim {
namespace {

constexpr virtual_time look_at_clock = 200;  // nanoseconds
constexpr virtual_time a_day = 86'400 * a_second;

}  // namespace

// Memory is real: the program itself uses it. None of this is traced, as addresses differ.
int simulated_kernel::mmap(void*& into, void* where, std::size_t size, int protection, int flags,
                           int fd, std::uint64_t at) noexcept {
    if (fd < 0) return real_.mmap(into, where, size, protection, flags, fd, at);
    if (scheduler_.current() == nullptr) return -EBADF;
    const auto d = find(fd);
    if (d == nullptr) return -EBADF;
    if (d->what() == description::kind::file) {
        // A copy: what is written to the file later is not seen.
        if ((protection & PROT_WRITE) != 0) return -ENODEV;
        const int failed = real_.mmap(into, nullptr, size, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (failed < 0) return failed;
        const auto& file = static_cast<file_description&>(*d).node()->data;
        file.read(at, {static_cast<std::byte*>(into), size});
        return 0;
    }
    if (d->what() == description::kind::ring) {
        return static_cast<uring&>(*d).memory().map(into, where, size, protection, flags, at);
    }
    if (d->what() != description::kind::memory) return -ENODEV;
    return real_.mmap(into, where, size, protection, flags,
                      static_cast<memory_file&>(*d).real_descriptor(), at);
}

int simulated_kernel::munmap(void* where, std::size_t size) noexcept {
    return real_.munmap(where, size);
}

int simulated_kernel::madvise(void* where, std::size_t size, int advice) noexcept {
    return real_.madvise(where, size, advice);
}

int simulated_kernel::mincore(void* where, std::size_t size, unsigned char* into) noexcept {
    return real_.mincore(where, size, into);
}

int simulated_kernel::memfd_create(const char* name, unsigned flags) noexcept {
    return call("memfd_create", {flags}, [&] {
        const int fd = real_.memfd_create(name, flags);
        if (fd < 0) return fd;
        return install(std::make_shared<memory_file>(real_, fd), (flags & MFD_CLOEXEC) != 0);
    });
}

std::int64_t simulated_kernel::monotonic_ns() noexcept {
    // Not traced: engines look at the clock more often than they do anything else.
    if (scheduler_.current() != nullptr) scheduler_.pass(look_at_clock);
    return scheduler_.now();
}

std::int64_t simulated_kernel::wall_ns() noexcept {
    if (scheduler_.current() != nullptr) scheduler_.pass(look_at_clock);
    if (random_.chance(faults_.wall_jump)) wall_offset_ += random_.between(-a_day, a_day);
    return wall_offset_ + scheduler_.now();
}

std::int64_t simulated_kernel::thread_cpu_ns() noexcept {
    return monotonic_ns();
}

std::uint64_t simulated_kernel::random() noexcept {
    return random_.bits();
}

int simulated_kernel::start_thread(pthread_t& into, void (*run)(void*), void* argument,
                                   std::size_t /*stack*/) noexcept {
    return call("start_thread", {}, [&] {
        if (random_.chance(faults_.no_thread)) {
            current().last_shortage_ = scheduler_.now();
            return -EAGAIN;
        }
        fiber* f = scheduler_.start(&current(), [run, argument] { run(argument); });
        if (f == nullptr) return -EAGAIN;
        sigfillset(&f->blocked_signals);
        current().fibers_.push_back(f);
        into = static_cast<pthread_t>(f->id);
        return 0;
    });
}

void simulated_kernel::join_thread(pthread_t thread) noexcept {
    static_cast<void>(call("join_thread", {static_cast<std::int64_t>(thread)}, [&] {
        const auto& fibers = current().fibers_;
        const auto found = std::ranges::find(fibers, static_cast<int>(thread), &fiber::id);
        if (found == fibers.end()) return -ESRCH;
        // Its process may start others meanwhile.
        fiber& joined = **found;
        while (joined.now != fiber::state::over) scheduler_.wait_for_end(joined);
        return 0;
    }));
}

// The end of a fiber needs no one who waits for it.
void simulated_kernel::detach_thread(pthread_t thread) noexcept {
    static_cast<void>(call("detach_thread", {static_cast<std::int64_t>(thread)}, [] { return 0; }));
}

void simulated_kernel::yield() noexcept {
    static_cast<void>(call("yield", {}, [&] {
        scheduler_.yield();
        return 0;
    }));
}

void simulated_kernel::lock_contended(std::mutex& mutex) noexcept {
    static_cast<void>(call("lock_contended", {}, [&] {
        // Its owner unlocks it without a call.
        while (!mutex.try_lock()) scheduler_.wait_for_others("lock_contended");
        return 0;
    }));
}

struct simulated_kernel::sleeper {
    const std::atomic<std::uint32_t>* word;
    fiber* who;
};

int simulated_kernel::futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                                 const timespec* timeout) noexcept {
    return call("futex_wait", {}, [&] {
        if (word.load() != expected) return -EAGAIN;
        if (random_.chance(faults_.interrupted)) return -EINTR;
        if (random_.chance(faults_.spurious)) return 0;
        sleeper self{.word = &word, .who = scheduler_.current()};
        sleepers_.push_back(&self);
        const bool woken = scheduler_.wait(deadline_of(timeout), "futex_wait", 0);
        // A wake takes it out.
        const bool waited_on = std::erase(sleepers_, &self) > 0;
        if (self.who->owner->take_signals(*self.who) != process::handled::nothing) return -EINTR;
        return woken || !waited_on ? 0 : -ETIMEDOUT;
    });
}

void simulated_kernel::futex_wake(std::atomic<std::uint32_t>& word, int count) noexcept {
    static_cast<void>(call("futex_wake", {count}, [&] {
        std::vector<sleeper*> found;
        for (sleeper* s : sleepers_) {
            if (s->word == &word) found.push_back(s);
        }
        random_.shuffle(found);
        if (found.size() > static_cast<std::size_t>(count)) {
            found.resize(static_cast<std::size_t>(count));
        }
        for (sleeper* s : found) {
            std::erase(sleepers_, s);
            scheduler_.wake(*s->who);
        }
        return static_cast<int>(found.size());
    }));
}

}  // namespace sluice::sim
