// A kernel for tests: Linux that has no memory to map.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "sluice/os/linux_kernel.hpp"

namespace sluice::test {

/// Each mmap(2) fails with ENOMEM.
class no_memory final : public os::linux_kernel {
 public:
    int mmap(void*& /*into*/, void* /*where*/, std::size_t /*size*/, int /*protection*/,
             int /*flags*/, int /*fd*/, std::uint64_t /*at*/) noexcept override {
        return -ENOMEM;
    }
};

}  // namespace sluice::test
