// Defines the shared parts of the copy, download and upload plans.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/lab/plan.hpp"

namespace sluice::lab {

/// A sample with a rate in bytes per second and costs per GiB. `copies_per_byte` is how often the
/// CPU copies a byte, by strategy.
[[nodiscard]] sample sample_of_bytes(measured_run run, double copies_per_byte);

/// "256 MiB", "1 GiB".
[[nodiscard]] std::string size_in_words(std::uint64_t bytes);

/// "1 client", "8 clients".
[[nodiscard]] std::string clients_in_words(std::uint64_t clients);

/// The numbers of clients of --clients, or the defaults for the run length.
[[nodiscard]] std::vector<std::uint64_t> clients_of(const testbed& bed);

/// Bytes per client of `size` bytes in all, at least 1 MiB, so that memory and time suffice for any
/// number of clients.
[[nodiscard]] std::uint64_t share_of(std::uint64_t size, std::uint64_t clients) noexcept;

/// Server options for a strategy: one shard, on io_uring if the strategy needs it.
[[nodiscard]] std::vector<std::string> one_shard_for(std::string_view strategy);

/// An error if the workspace lacks space for `bytes` more; else empty.
[[nodiscard]] std::string why_no_space(const testbed& bed, std::uint64_t bytes);

/// Reads `path` into the page cache. The error, a sentence without its full stop, says that it does
/// not stay there.
[[nodiscard]] std::expected<void, std::string> warm(const std::string& path);

}  // namespace sluice::lab
