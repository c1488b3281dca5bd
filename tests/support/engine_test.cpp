// Which engines are tested here, and what a test must leave behind.
#include "tests/support/engine_test.hpp"

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string_view>

#include "sluice/io/engines/uring_probe.hpp"

namespace sluice::test {
namespace {

bool named_in(std::string_view list, std::string_view name) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (list.substr(0, comma) == name) return true;
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
    return false;
}

}  // namespace

std::string why_not(io::engine_kind kind) {
    const std::string name{io::to_text(kind)};
    if (const char* wanted = std::getenv("SLUICE_TEST_ENGINES");
        wanted != nullptr && !named_in(wanted, name)) {
        return "SLUICE_TEST_ENGINES is '" + std::string{wanted} + "', without " + name;
    }
    if (kind != io::engine_kind::uring) return {};
    static const io::uring_support support = io::probe_uring();
    return support.usable ? std::string{} : "io_uring is not usable here: " + support.why_not;
}

std::vector<io::engine_kind> every_engine() {
    return {io::engine_kind::blocking, io::engine_kind::epoll, io::engine_kind::uring};
}

std::vector<io::engine_kind> every_loop() {
    return {io::engine_kind::epoll, io::engine_kind::uring};
}

std::string engine_name(const ::testing::TestParamInfo<io::engine_kind>& info) {
    return std::string{io::to_text(info.param)};
}

std::size_t open_descriptors() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator{"/proc/self/fd"},
                      std::filesystem::directory_iterator{}));
}

void engine_test::SetUp() {
    if (auto why = why_not(GetParam()); !why.empty()) GTEST_SKIP() << why;
    descriptors_before_ = open_descriptors();
}

void engine_test::TearDown() {
    if (IsSkipped()) return;
    if (engine_) {
        EXPECT_EQ(engine_->in_flight(), 0U);
        EXPECT_EQ(engine_->buffers().lent(), 0U);
        engine_.reset();
    }
    EXPECT_EQ(open_descriptors(), descriptors_before_);
}

io::engine& engine_test::engine() {
    if (!engine_) {
        auto made = io::make_engine(GetParam(), options);
        if (!made) throw std::runtime_error{"no engine: " + made.error().message()};
        engine_ = std::move(*made);
    }
    return *engine_;
}

}  // namespace sluice::test
