// What plans that move files have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/lab/plan.hpp"

namespace sluice::lab {

/// A sample whose rate is bytes a second, with costs a GiB. Of what the CPU copies the strategy
/// tells how often it copies a byte.
[[nodiscard]] sample sample_of_bytes(measured_run run, double copies_a_byte);

/// "256 MiB", "1 GiB".
[[nodiscard]] std::string size_in_words(std::uint64_t bytes);

/// "1 client", "8 clients".
[[nodiscard]] std::string clients_in_words(std::uint64_t clients);

/// The numbers of clients that were asked for, or one and a few.
[[nodiscard]] std::vector<std::uint64_t> clients_of(const rig& where);

/// What each client moves, of `size` bytes in all: so that memory and time suffice for many as for
/// one.
[[nodiscard]] std::uint64_t share_of(std::uint64_t size, std::uint64_t clients) noexcept;

/// The server's model and engine for a strategy: one shard, on io_uring where only that can do it.
[[nodiscard]] std::vector<std::string> one_shard_for(std::string_view strategy);

/// Why there is not enough room for `bytes` more of files; empty if there is.
[[nodiscard]] std::string why_no_room(const rig& where, std::uint64_t bytes);

/// All of `path` is in the page cache afterwards, or that is an error: a sentence without its full
/// stop.
[[nodiscard]] std::expected<void, std::string> warm(const std::string& path);

}  // namespace sluice::lab
