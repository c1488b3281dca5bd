// Linked into the program where tests are built: SLUICE_FAULTS gives it a kernel that fails by a
// seed (faulty_linux.hpp).
#include <cstdio>
#include <cstdlib>

#include "sluice/os/kernel.hpp"
#include "tests/faults/faulty_linux.hpp"

namespace sluice {
namespace {

[[maybe_unused]] const bool in_place = [] {
    const char* const wanted = std::getenv("SLUICE_FAULTS");
    if (wanted == nullptr) return false;
    const auto plan = faults::fault_plan::parse(wanted);
    // Is never destroyed, as Linux (os/kernel.cpp).
    auto* const faulty = plan ? new faults::faulty_linux{*plan} : nullptr;
    if (faulty == nullptr || faulty->begin() != 0) {
        std::fputs("sluice: SLUICE_FAULTS is SEED[:CLASS,...][@FILE]\n", stderr);
        os::exit_at_once(2);
    }
    os::detail::current = faulty;
    return true;
}();

}  // namespace
}  // namespace sluice
