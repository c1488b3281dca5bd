// Implements execution over makecontext(3) and longjmp(3), with AddressSanitizer's annotations.
#include "sluice/sim/execution.hpp"

#include <cxxabi.h>

#include <cstdint>
#include <cstring>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/base/sanitizer.hpp"

// Of sanitizer/common_interface_defs.h and asan_interface.h: absent without the sanitizer.
// NOLINTBEGIN(readability-identifier-naming): they are called so
extern "C" {
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom,
                                                  std::size_t size);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom,
                                                   std::size_t* size);
[[gnu::weak]] void __asan_unpoison_memory_region(const void* start, std::size_t size);
}
// NOLINTEND(readability-identifier-naming)

namespace sluice::sim {
namespace {

execution* arriving = nullptr;

}  // namespace

void execution::prepare(mutable_bytes stack, void (*run)(void*), void* argument) noexcept {
    run_ = run;
    argument_ = argument;
    is_new_ = true;
    stack_bottom_ = stack.data();
    stack_size_ = stack.size();
    // A fiber that was killed on this stack left marks of its frames.
    if constexpr (address_sanitizer) __asan_unpoison_memory_region(stack.data(), stack.size());
    check(::getcontext(&registers_) == 0, "getcontext failed");
    registers_.uc_stack.ss_sp = stack.data();
    registers_.uc_stack.ss_size = stack.size();
    registers_.uc_link = nullptr;
    ::makecontext(&registers_, &execution::enter, 0);
}

void execution::switch_to(execution& next) noexcept {
    save_and_switch(next, false);
}

void execution::end_with(execution& next) noexcept {
    save_and_switch(next, true);
    __builtin_unreachable();
}

void execution::save_and_switch(execution& next, bool last) noexcept {
    auto* globals = abi::__cxa_get_globals();
    std::memcpy(exceptions_.data(), globals, exceptions_.size());
    std::memcpy(globals, next.exceptions_.data(), exceptions_.size());
    next.came_from_ = this;
    arriving = &next;
    if constexpr (address_sanitizer) {
        __sanitizer_start_switch_fiber(last ? nullptr : &fake_stack_, next.stack_bottom_,
                                       next.stack_size_);
    }
    if constexpr (address_sanitizer) {
        // It takes the frames that longjmp(3) leaves for dead.
        ::swapcontext(&registers_, &next.registers_);
    } else if (_setjmp(goes_on_) == 0) {
        next.resume();
    }
    arrive();
}

void execution::resume() noexcept {
    if (std::exchange(is_new_, false)) ::setcontext(&registers_);
    std::longjmp(goes_on_, 1);
}

void execution::arrive() noexcept {
    if constexpr (address_sanitizer) {
        // The first switch of all tells where the stack of this thread is.
        __sanitizer_finish_switch_fiber(fake_stack_, &came_from_->stack_bottom_,
                                        &came_from_->stack_size_);
    }
}

void execution::enter() noexcept {
    execution& self = *arriving;
    self.arrive();
    self.run_(self.argument_);
}

}  // namespace sluice::sim
