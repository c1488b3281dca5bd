// Common parts of the tests of the simulator.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "sluice/base/bytes.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/sim/world.hpp"

namespace sluice::test {

/// A world in which nothing goes wrong.
inline sim::world_options quiet(std::uint64_t seed) {
    return {.seed = seed, .faults = sim::fault_rates{}};
}

/// A world with the faults of its seed, but the streams that are made stay whole.
inline sim::world_options without_breaks(std::uint64_t seed) {
    sim::random rates{~seed};
    sim::fault_rates faults = sim::fault_rates::draw(rates);
    faults.reset = faults.gone = faults.stuck = faults.ended_at_once = faults.aborted = 0;
    return {.seed = seed, .faults = faults};
}

/// A port of this machine's loopback.
inline sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in made{};
    made.sin_family = AF_INET;
    made.sin_port = htons(port);
    made.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return made;
}

inline const sockaddr* as_sockaddr(const sockaddr_in& a) {
    return reinterpret_cast<const sockaddr*>(&a);
}

/// Where tests put a program (simulated_kernel::add_program).
inline constexpr auto program_path = "/program";

/// read(2) of up to `most` bytes; "-" and the number of the error.
inline std::string read_text(int fd, std::size_t most = 4096) {
    std::string into(most, '\0');
    const ssize_t n =
        os::sys().read(fd, std::as_writable_bytes(std::span{into.data(), into.size()}));
    if (n < 0) return std::to_string(n);
    into.resize(static_cast<std::size_t>(n));
    return into;
}

inline ssize_t write_text(int fd, std::string_view text) {
    return os::sys().write(fd, as_bytes(text));
}

/// Runs `body` as the only process of a world, and expects that it leaves nothing open.
template <class Body>
void in_world(const sim::world_options& o, Body body) {
    SCOPED_TRACE("seed " + std::to_string(o.seed));
    sim::world w{o};
    const sim::process& p = w.start_process("test", [&] { body(w); });
    w.run();
    EXPECT_EQ(p.open_descriptors(), 0);
}

}  // namespace sluice::test
