// Thread with a stack of a given size and all signals blocked.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <functional>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/base/result.hpp"
#include "sluice/model/small_engine.hpp"

namespace sluice::model {

/// Like std::thread, with a stack size. Joined before it dies. Not movable.
class small_thread {
 public:
    small_thread() noexcept = default;
    small_thread(const small_thread&) = delete;
    small_thread& operator=(const small_thread&) = delete;
    ~small_thread() { check(!started_, "a thread is destroyed before it was joined"); }

    /// `stack` in bytes. The errno of pthread_create(3), such as EAGAIN; the caller may try again.
    [[nodiscard]] result<void> start(std::size_t stack, std::function<void()> run) noexcept {
        run_ = std::move(run);
        pthread_attr_t bounded;
        pthread_attr_init(&bounded);
        int error = pthread_attr_setstacksize(&bounded, stack);
        if (error == 0) error = pthread_create(&thread_, &bounded, &enter, this);
        pthread_attr_destroy(&bounded);
        if (error != 0) return failure_of(error);
        started_ = true;
        return {};
    }
    void join() noexcept {
        pthread_join(thread_, nullptr);
        started_ = false;
    }

 private:
    static void* enter(void* self) {
        block_signals();
        static_cast<small_thread*>(self)->run_();
        return nullptr;
    }

    pthread_t thread_{};
    std::function<void()> run_;
    bool started_ = false;
};

}  // namespace sluice::model
