// A test that runs on every engine, and checks at its end that nothing was left behind.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/run.hpp"

namespace sluice::test {

/// Why `kind` is left out here: SLUICE_TEST_ENGINES does not name it, or the kernel refuses it.
/// Empty if it is to be tested.
[[nodiscard]] std::string why_not(io::engine_kind kind);

/// All engines, for INSTANTIATE_TEST_SUITE_P. Those that are left out skip, and say why.
[[nodiscard]] std::vector<io::engine_kind> every_engine();
/// Those on which coroutines can wait for each other.
[[nodiscard]] std::vector<io::engine_kind> every_loop();
/// The name of a parameter in a test's name.
[[nodiscard]] std::string engine_name(const ::testing::TestParamInfo<io::engine_kind>& info);

/// Descriptors that this process has open.
[[nodiscard]] std::size_t open_descriptors();

/// An engine of the kind that the parameter says, made when it is first asked for.
class engine_test : public ::testing::TestWithParam<io::engine_kind> {
 protected:
    void SetUp() override;
    /// Nothing in flight, no buffer lent, no descriptor more than before.
    void TearDown() override;

    [[nodiscard]] io::engine& engine();
    [[nodiscard]] bool blocks() const { return GetParam() == io::engine_kind::blocking; }

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
