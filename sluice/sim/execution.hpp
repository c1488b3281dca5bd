// Execution: registers and stack, of a fiber or of the thread that runs the fibers.
#pragma once

#include <ucontext.h>

#include <array>
#include <csetjmp>
#include <cstddef>

#include "sluice/base/bytes.hpp"

namespace sluice::sim {

/// One of several executions between which one OS thread switches: begun by makecontext(3), then
/// resumed by longjmp(3), which makes no system call, as swapcontext(3) does. With it goes what the
/// language keeps per thread: exceptions being handled, and a sanitizer's stack.
class execution {
 public:
    /// The one that is running.
    execution() noexcept = default;
    execution(const execution&) = delete;
    execution& operator=(const execution&) = delete;

    /// Makes it begin, when it is first switched to, with `run(argument)`, which never returns.
    void prepare(mutable_bytes stack, void (*run)(void*), void* argument) noexcept;
    /// Saves this one, which is running, and runs `next` until something switches back.
    void switch_to(execution& next) noexcept;
    /// The same, for one to which nothing will switch back.
    [[noreturn]] void end_with(execution& next) noexcept;

 protected:
    ~execution() = default;

 private:
    void save_and_switch(execution& next, bool last) noexcept;
    [[noreturn]] void resume() noexcept;
    void arrive() noexcept;
    static void enter() noexcept;

    ucontext_t registers_{};  // where it begins; of AddressSanitizer, where it goes on, too
    std::jmp_buf goes_on_{};
    bool is_new_ = false;
    std::array<std::byte, 2 * sizeof(void*)> exceptions_{};  // __cxa_eh_globals
    void (*run_)(void*) = nullptr;
    void* argument_ = nullptr;
    // Of AddressSanitizer: its second stack, and where the first one is.
    void* fake_stack_ = nullptr;
    const void* stack_bottom_ = nullptr;
    std::size_t stack_size_ = 0;
    execution* came_from_ = nullptr;
};

}  // namespace sluice::sim
