// The entry of libFuzzer: hands each input to the target.
#include <cstddef>
#include <cstdint>

#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes are what text is made of
    sluice::fuzz::targets().front().examine({reinterpret_cast<const char*>(data), size});
    return 0;
}
