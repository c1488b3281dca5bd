// Implements the copy load: copies a file with a strategy and measures the time.
#include "sluice/lab/load/copy.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "sluice/io/engine.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/lab/load/parts.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

outcome run(const copy_options& o) {
    const unique_fd from{::open(o.from.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!from) give_up("cannot read " + wire::printable(o.from), errno);
    const unique_fd to{::open(o.to.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (!to) give_up("cannot write " + wire::printable(o.to), errno);
    struct stat about{};
    if (::fstat(from.get(), &about) != 0) give_up("cannot read " + wire::printable(o.from), errno);
    const bool needs_uring = o.how == transfer::copy::uring;
    auto engine = io::make_engine(needs_uring ? io::engine_kind::uring : io::engine_kind::blocking);
    if (!engine) give_up("no engine can be opened", engine.error().code());
    transfer::byte_counter progress;
    outcome seen;
    const window counted{watched{}};
    const auto done =
        io::run(**engine, transfer::copy_file(o.how, **engine,
                                              {.from = from.get(),
                                               .to = to.get(),
                                               .offset = 0,
                                               .length = static_cast<std::uint64_t>(about.st_size)},
                                              progress));
    counted.close(seen);
    if (!done) {
        give_up(fmt::format("cannot copy {} to {}: {}", wire::printable(o.from),
                            wire::printable(o.to), done.error().message()));
    }
    seen.amount = static_cast<double>(progress.bytes());
    return seen;
}

}  // namespace

std::expected<outcome, load_failure> copy(const copy_options& o) {
    try {
        return run(o);
    } catch (const load_error& e) {
        return std::unexpected{e.why()};
    }
}

}  // namespace sluice::lab
