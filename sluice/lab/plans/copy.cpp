// Copies from file to file: every way, with the source in the page cache and without.
#include "sluice/transfer/copy.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/lab/plans/bytes.hpp"
#include "sluice/lab/plans/cpu_copies.hpp"
#include "sluice/transfer/page_cache.hpp"

namespace sluice::lab {
namespace {

constexpr sizes copy_sizes{.quick = std::uint64_t{128} << 20, .normal = std::uint64_t{256} << 20};

using transfer::copy;

/// A fiemap with room for one extent, which the kernel's own type has no member for.
struct first_extent {
    std::uint64_t start = 0;
    std::uint64_t length = FIEMAP_MAX_OFFSET;
    std::uint32_t flags = 0;
    std::uint32_t mapped = 0;
    std::uint32_t room = 1;
    std::uint32_t reserved = 0;
    fiemap_extent extent = {};
};
static_assert(sizeof(first_extent) == sizeof(fiemap) + sizeof(fiemap_extent));
static_assert(offsetof(first_extent, extent) == sizeof(fiemap));

/// Whether the blocks that `path` begins with are another file's, too (the kernel's fiemap.rst):
/// then nobody has copied them. Where the file system cannot tell, it cannot share either.
bool shares_blocks(const std::string& path) {
    const unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    first_extent found;
    return file && ::ioctl(file.get(), FS_IOC_FIEMAP, &found) == 0 && found.mapped > 0 &&
           (found.extent.fe_flags & FIEMAP_EXTENT_SHARED) != 0;
}

/// None of `path` is in the page cache afterwards, or that is an error: what was warm is never
/// measured as cold.
std::expected<void, std::string> cool(const rig& where, const std::string& path) {
    const unique_fd file{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
    if (!file) {
        return std::unexpected{
            fmt::format("cannot open {}: {}", path, error::system(errno).message())};
    }
    if (const auto cold = transfer::make_cold(file.get()); !cold) {
        return std::unexpected{fmt::format("the source cannot be taken out of the page cache: {}",
                                           cold.error().message())};
    }
    if (where.asked.drop_caches) {
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

struct task {
    std::string from;
    std::uint64_t size;
    bool cold;
};

std::expected<sample, std::string> take(rig& where, std::string_view strategy, double copies,
                                        const task& what) {
    const auto to = where.files.path_of(std::string{copied_name});
    ::unlink(to.c_str());
    const unique_fd place{::open(where.files.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (place) ::syncfs(place.get());
    where.memory.touch(what.cold ? 2 * what.size : what.size);
    auto ready = what.cold ? cool(where, what.from) : warm(what.from);
    if (!ready) return std::unexpected{std::move(ready.error())};
    auto run =
        where.alone({"lab", "load", "copy", what.from, to, "--strategy", std::string{strategy}},
                    {where.cores.server});
    const bool none = shares_blocks(to);
    ::unlink(to.c_str());
    if (!run) return std::unexpected{std::move(run.error())};
    return sample_of_bytes(std::move(*run), none ? 0 : copies);
}

}  // namespace

std::expected<std::vector<planned_case>, std::string> copy_plan(rig& where) {
    const auto size = where.file_size(copy_sizes);
    if (auto why = why_no_room(where, 2 * size); !why.empty()) {
        return std::unexpected{std::move(why)};
    }
    auto path = where.files.file_of(size);
    if (!path) return std::unexpected{std::move(path.error())};
    std::vector<planned_case> cases;
    for (const bool cold : {false, true}) {
        planned_case made{
            .about = describe(
                "copy", cold ? "cold" : "warm",
                cold ? fmt::format("Which way copies a file of {} the fastest when it has to come "
                                   "from the disk?{}",
                                   size_in_words(size),
                                   where.asked.drop_caches
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
                 .remarks = {std::string{copies.in_words}},
                 .take = [&where, name, often = copies.a_byte,
                          what = task{.from = *path, .size = size, .cold = cold}] {
                     return take(where, name, often, what);
                 }});
        }
        cases.push_back(std::move(made));
    }
    return cases;
}

}  // namespace sluice::lab
