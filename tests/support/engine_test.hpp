// A test that runs on every engine, and checks at its end that nothing was left behind.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <iosfwd>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/run.hpp"

namespace sluice::test {

/// What a test is run on.
struct flavour {
    const char* name = "";
    io::engine_kind kind = io::engine_kind::epoll;
    bool small_ring = false;  ///< io_uring with queues of four entries, so that they are often full
};
void PrintTo(const flavour& f, std::ostream* out);

/// Why `kind` is left out here: SLUICE_TEST_ENGINES does not name it, or the kernel refuses it.
/// Empty if it is to be tested.
[[nodiscard]] std::string why_not(io::engine_kind kind);

/// All engines, for INSTANTIATE_TEST_SUITE_P. Those that are left out skip, and say why.
[[nodiscard]] std::vector<flavour> every_engine();
/// Those on which coroutines can wait for each other.
[[nodiscard]] std::vector<flavour> every_loop();
/// One of them: what only its kind has.
[[nodiscard]] std::vector<flavour> only(io::engine_kind kind);
/// The name of a parameter in a test's name.
[[nodiscard]] std::string engine_name(const ::testing::TestParamInfo<flavour>& info);

/// Whether SLUICE_TEST_REFUSE_SUBMITS is set: every test then runs under refuse_plain_submits(),
/// so that operations and cancels find io_uring's queue full.
[[nodiscard]] bool submits_are_refused();

/// Descriptors that this process has open.
[[nodiscard]] std::size_t open_descriptors();

/// An engine of the kind that the parameter says, made when it is first asked for.
class engine_test : public ::testing::TestWithParam<flavour> {
 protected:
    void SetUp() override;
    /// Nothing in flight, no buffer leased, no descriptor more than before.
    void TearDown() override;

    [[nodiscard]] io::engine& engine();
    [[nodiscard]] static io::engine_kind kind() { return GetParam().kind; }
    [[nodiscard]] static bool blocks() { return kind() == io::engine_kind::blocking; }
    /// `options` as this flavour wants them.
    [[nodiscard]] io::engine_options flavoured() const;

    /// Runs the coroutine that `f` makes to its end. `f` lives as long as that.
    template <class F>
    auto run(F f) {
        return io::run(engine(), f());
    }

    /// For the engine; to be set before it is first asked for.
    io::engine_options options;

 private:
    std::unique_ptr<io::engine> engine_;
    std::size_t descriptors_before_ = 0;
};

}  // namespace sluice::test
