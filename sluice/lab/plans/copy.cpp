// The copy plan: every strategy from file to file, with a warm and a cold page cache.
#include "sluice/transfer/copy.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/lab/plans/bytes.hpp"
#include "sluice/lab/plans/cpu_copies.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/transfer/page_cache.hpp"

namespace sluice::lab {
namespace {

constexpr sizes copy_sizes{.quick = std::uint64_t{128} << 20, .normal = std::uint64_t{256} << 20};

using transfer::copy;

/// A struct fiemap with space for one extent: the kernel's type ends in a flexible array.
struct first_extent {
    std::uint64_t start = 0;
    std::uint64_t length = FIEMAP_MAX_OFFSET;
    std::uint32_t flags = 0;
    std::uint32_t mapped = 0;
    std::uint32_t extent_count = 1;
    std::uint32_t reserved = 0;
    fiemap_extent extent = {};
};
static_assert(sizeof(first_extent) == sizeof(fiemap) + sizeof(fiemap_extent));
static_assert(offsetof(first_extent, extent) == sizeof(fiemap));

/// Whether another file shares the first extent of `path` (the kernel's fiemap.rst): then no byte
/// was copied. A file system without fiemap cannot share extents either.
bool shares_blocks(const std::string& path) {
    const unique_fd file{os::sys().openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC)};
    first_extent found;
    return file && os::sys().ioctl(file.get(), FS_IOC_FIEMAP, &found) == 0 && found.mapped > 0 &&
           (found.extent.fe_flags & FIEMAP_EXTENT_SHARED) != 0;
}

/// Evicts `path` from the page cache. Pages that remain are an error, so that a warm source is
/// never measured as cold.
std::expected<void, std::string> evict(const testbed& bed, const std::string& path) {
    const unique_fd file{os::sys().openat(AT_FDCWD, path.c_str(), O_RDWR | O_CLOEXEC)};
    if (!file) {
        return std::unexpected{
            fmt::format("cannot open {}: {}", path, error::system(-file.get()).message())};
    }
    if (const auto cold = transfer::make_cold(file.get()); !cold) {
        return std::unexpected{fmt::format("the source cannot be taken out of the page cache: {}",
                                           cold.error().message())};
    }
    if (bed.asked.drop_caches) {
        if (const auto dropped = transfer::drop_caches(); !dropped) {
            return std::unexpected{
                fmt::format("caches cannot be dropped: {}; that is for root, leave --drop-caches "
                            "out",
                            dropped.error().message())};
        }
    }
    const auto left = transfer::cached_bytes(file.get());
    if (!left) {
        return std::unexpected{fmt::format(
            "nobody says whether the source is out of the page cache: {}", left.error().message())};
    }
    if (*left > 0) {
        return std::unexpected{
            fmt::format("a cold source cannot be had here, {} of it stay in memory (as on tmpfs): "
                        "choose a directory on a disk with --directory",
                        size_in_words(*left))};
    }
    return {};
}

struct copy_job {
    std::string from;
    std::uint64_t size;
    bool cold;
};

std::expected<sample, std::string> take(testbed& bed, std::string_view strategy, double copies,
                                        const copy_job& job) {
    const auto to = bed.files.path_of(std::string{copied_name});
    os::kernel& sys = os::sys();
    sys.unlinkat(AT_FDCWD, to.c_str(), 0);
    const unique_fd directory{
        sys.openat(AT_FDCWD, bed.files.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (directory) sys.syncfs(directory.get());
    bed.memory.touch(job.cold ? 2 * job.size : job.size);
    auto ready = job.cold ? evict(bed, job.from) : warm(job.from);
    if (!ready) return std::unexpected{std::move(ready.error())};
    auto run = bed.alone({"lab", "load", "copy", job.from, to, "--strategy", std::string{strategy}},
                         {bed.cores.server});
    const bool shared = shares_blocks(to);
    sys.unlinkat(AT_FDCWD, to.c_str(), 0);
    if (!run) return std::unexpected{std::move(run.error())};
    return sample_of_bytes(std::move(*run), shared ? 0 : copies);
}

}  // namespace

std::expected<std::vector<planned_case>, std::string> copy_plan(testbed& bed) {
    const auto size = bed.file_size(copy_sizes);
    if (auto why = why_no_space(bed, 2 * size); !why.empty()) {
        return std::unexpected{std::move(why)};
    }
    auto path = bed.files.file_of(size);
    if (!path) return std::unexpected{std::move(path.error())};
    std::vector<planned_case> cases;
    for (const bool cold : {false, true}) {
        planned_case made{
            .about = describe(
                "copy", cold ? "cold" : "warm",
                cold ? fmt::format("Which way copies a file of {} the fastest when it has to come "
                                   "from the disk?{}",
                                   size_in_words(size),
                                   bed.asked.drop_caches
                                       ? " Before each copy all caches of the machine were dropped."
                                       : "")
                     : fmt::format("Which way copies a file of {} the fastest when it is in the "
                                   "page cache?",
                                   size_in_words(size))),
            .variants = {}};
        for (const auto& [name, how] : transfer::copy_names) {
            if (how == copy::automatic) continue;
            const auto copies = copies_of(how);
            made.variants.push_back(
                {.name = std::string{name},
                 .footnotes = {std::string{copies.in_words}},
                 .take = [&bed, name, per_byte = copies.a_byte,
                          job = copy_job{.from = *path, .size = size, .cold = cold}] {
                     return take(bed, name, per_byte, job);
                 }});
        }
        cases.push_back(std::move(made));
    }
    return cases;
}

}  // namespace sluice::lab
