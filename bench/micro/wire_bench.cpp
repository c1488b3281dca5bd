// What framing and text cost on the paths that every message takes: time and allocations.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include "sluice/wire/framing.hpp"
#include "sluice/wire/text.hpp"

namespace {

// NOLINTBEGIN(*-owning-memory,*-no-malloc,misc-new-delete-overloads): this is the allocator

std::size_t allocations = 0;

void* allocate(std::size_t size) noexcept {
    ++allocations;
    return std::malloc(size == 0 ? 1 : size);
}

}  // namespace

// Not inlined, since a compiler that sees through one of a pair alone warns of a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* const memory = allocate(size);
    if (memory == nullptr) throw std::bad_alloc{};
    return memory;
}
[[gnu::noinline]] void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    return allocate(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t /*size*/) noexcept {
    std::free(memory);
}

// NOLINTEND(*-owning-memory,*-no-malloc,misc-new-delete-overloads)

namespace sluice::wire {
namespace {

constexpr std::size_t chunk_size = 16 * 1024;

/// Reports time and allocations an item, from its beginning to its end.
class per_item {
 public:
    explicit per_item(benchmark::State& state) : state_{state}, before_{allocations} {}
    per_item(const per_item&) = delete;
    per_item& operator=(const per_item&) = delete;
    ~per_item() {
        const auto made = static_cast<double>(allocations - before_);
        const auto items = static_cast<double>(state_.iterations() * per_iteration_);
        state_.counters["allocations"] = made / items;
        // Named for one item and not for one iteration, which may read hundreds.
        state_.counters["time_each"] =
            benchmark::Counter(items, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    }
    void items_per_iteration(std::int64_t items) { per_iteration_ = items; }

 private:
    benchmark::State& state_;
    std::size_t before_;
    std::int64_t per_iteration_ = 1;
};

/// Lines of `line` bytes, their end included, read from chunks of 16 KiB that begin `shift` bytes
/// into a line.
void read_lines(benchmark::State& state, framing mode, std::size_t line, std::size_t shift) {
    std::string text;
    while (text.size() < 2 * chunk_size) text.append(line - 1, 'x').push_back('\n');
    const auto chunk = std::string_view{text}.substr(shift, chunk_size);
    frame_reader reader{mode, chunk_size};
    per_item count{state};
    count.items_per_iteration(static_cast<std::int64_t>(chunk_size / line));
    for (auto _ : state) {
        reader.feed(chunk);
        while (const auto found = reader.next()) {
            if (!*found) break;
            benchmark::DoNotOptimize((*found)->text.data());
        }
    }
}
BENCHMARK_CAPTURE(read_lines, line_64_aligned, framing::line, 64, 0);
BENCHMARK_CAPTURE(read_lines, line_64_straddling, framing::line, 64, 20);
BENCHMARK_CAPTURE(read_lines, auto_64_aligned, framing::automatic, 64, 0);
BENCHMARK_CAPTURE(read_lines, auto_64_straddling, framing::automatic, 64, 20);
BENCHMARK_CAPTURE(read_lines, line_1024_straddling, framing::line, 1024, 20);

/// The shape of an echo without pipelining: one chunk is one message.
void read_one(benchmark::State& state, framing mode) {
    const std::string chunk = std::string(63, 'x') + "\n";
    frame_reader reader{mode, chunk_size};
    const per_item count{state};
    for (auto _ : state) {
        reader.feed(chunk);
        while (const auto found = reader.next()) {
            if (!*found) break;
            benchmark::DoNotOptimize((*found)->text.data());
        }
    }
}
BENCHMARK_CAPTURE(read_one, line, framing::line);
BENCHMARK_CAPTURE(read_one, raw, framing::raw);

/// The worst a peer can do: a byte at a time.
void read_trickle(benchmark::State& state) {
    const std::string line = std::string(63, 'x') + "\n";
    frame_reader reader{framing::line, chunk_size};
    const per_item count{state};
    for (auto _ : state) {
        for (const char& byte : line) {
            reader.feed({&byte, 1});
            while (const auto found = reader.next()) {
                if (!*found) break;
                benchmark::DoNotOptimize((*found)->text.data());
            }
        }
    }
}
BENCHMARK(read_trickle);

void write_lines(benchmark::State& state) {
    const std::string text(63, 'x');
    std::string out;
    out.reserve(chunk_size + text.size());
    const per_item count{state};
    for (auto _ : state) {
        if (out.size() >= chunk_size) out.clear();
        append_framed(out, text, true);
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK(write_lines);

std::string repeated(std::string_view piece, std::size_t size) {
    std::string out;
    while (out.size() < size) out.append(piece);
    return out;
}

void show(benchmark::State& state, std::string_view piece, std::size_t size) {
    const auto text = repeated(piece, size);
    std::string scratch;
    benchmark::DoNotOptimize(printable(text, scratch).data());
    const per_item count{state};
    for (auto _ : state) benchmark::DoNotOptimize(printable(text, scratch).data());
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK_CAPTURE(show, ascii_64, "0123456789abcdef", 64);
BENCHMARK_CAPTURE(show, ascii_16384, "0123456789abcdef", chunk_size);
BENCHMARK_CAPTURE(show, german_64, "sch\u00f6ne Gr\u00fc\u00dfe aus K\u00f6ln, ", 64);
BENCHMARK_CAPTURE(show, cyrillic_16384, "\u043f\u0440\u0438\u0432\u0435\u0442 ", chunk_size);
BENCHMARK_CAPTURE(show, escapes_64, "ordinary\x1b[1mbold", 64);

void validate(benchmark::State& state, std::string_view piece) {
    const auto text = repeated(piece, chunk_size);
    const per_item count{state};
    for (auto _ : state) benchmark::DoNotOptimize(is_valid_utf8(text));
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK_CAPTURE(validate, ascii_16384, "0123456789abcdef");
BENCHMARK_CAPTURE(validate, cyrillic_16384, "\u043f\u0440\u0438\u0432\u0435\u0442 ");

}  // namespace
}  // namespace sluice::wire

BENCHMARK_MAIN();
