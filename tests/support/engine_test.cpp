// Which engines are tested here, and what a test must leave behind.
#include "tests/support/engine_test.hpp"

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <ostream>
#include <stdexcept>
#include <string_view>

#include "sluice/io/engines/uring_probe.hpp"
#include "sluice/io/make_engine.hpp"
#include "tests/support/refuse_submits.hpp"

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

void PrintTo(const flavour& f, std::ostream* out) {
    *out << f.name;
}

std::vector<flavour> every_engine() {
    std::vector<flavour> all = every_loop();
    all.insert(all.begin(), {.name = "blocking", .kind = io::engine_kind::blocking});
    return all;
}

std::vector<flavour> every_loop() {
    return {{.name = "epoll", .kind = io::engine_kind::epoll},
            {.name = "uring", .kind = io::engine_kind::uring},
            {.name = "uring_of_four", .kind = io::engine_kind::uring, .small_ring = true}};
}

std::vector<flavour> only(io::engine_kind kind) {
    std::vector<flavour> some = every_engine();
    std::erase_if(some, [kind](const flavour& f) { return f.kind != kind; });
    return some;
}

std::string engine_name(const ::testing::TestParamInfo<flavour>& info) {
    return info.param.name;
}

bool submits_are_refused() {
    return std::getenv("SLUICE_TEST_REFUSE_SUBMITS") != nullptr;
}

std::size_t open_descriptors() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator{"/proc/self/fd"},
                      std::filesystem::directory_iterator{}));
}

void engine_test::SetUp() {
    if (auto why = why_not(kind()); !why.empty()) GTEST_SKIP() << why;
    static const bool ground_laid = !submits_are_refused() || refuse_plain_submits();
    if (!ground_laid) GTEST_SKIP() << "no seccomp filter may be installed here";
    descriptors_before_ = open_descriptors();
}

void engine_test::TearDown() {
    if (IsSkipped()) return;
    if (engine_) {
        EXPECT_EQ(engine_->in_flight(), 0U);
        EXPECT_EQ(engine_->buffers().leased(), 0U);
        engine_.reset();
    }
    EXPECT_EQ(open_descriptors(), descriptors_before_);
}

io::engine_options engine_test::flavoured() const {
    io::engine_options flavoured = options;
    if (GetParam().small_ring) flavoured.ring_entries = flavoured.completion_entries = 4;
    return flavoured;
}

io::engine& engine_test::engine() {
    if (!engine_) {
        auto made = io::make_engine(kind(), flavoured());
        if (!made) throw std::runtime_error{"no engine: " + made.error().message()};
        engine_ = std::move(*made);
    }
    return *engine_;
}

}  // namespace sluice::test
