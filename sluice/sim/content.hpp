// Content of a simulated file: sparse pages in the page cache, and which 512-byte blocks of them
// are on the disk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>

#include "sluice/base/bytes.hpp"
#include "sluice/sim/random.hpp"

namespace sluice::sim {

/// Two versions of a file: what programs read, and what a power loss leaves for certain. A block
/// that was written since the last sync is dirty: a power loss leaves either version of it.
class content {
 public:
    static constexpr std::size_t page_size = 4096;
    static constexpr std::size_t block_size = 512;

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    /// Reads up to the end of the file; returns how many bytes that is.
    std::size_t read(std::uint64_t at, mutable_bytes into) const;
    void write(std::uint64_t at, const_bytes data);
    void resize(std::uint64_t size);

    [[nodiscard]] bool is_dirty() const noexcept { return !dirty_.empty() || size_ != disk_size_; }
    /// All of it is on the disk now (fdatasync(2)).
    void sync();
    /// A failed sync: each dirty block is on the disk or not, and all are clean (fsync(2), EIO). A
    /// later sync() writes none of them. None is that lies behind `end`.
    void lose(random& choices, std::uint64_t end = std::numeric_limits<std::uint64_t>::max());
    /// Clean pages are read from the disk again: those that lose() lost are as they were.
    void drop_clean();
    /// What a power loss leaves: any subset of the dirty blocks, and any size that the file had
    /// since the last sync, or between these.
    [[nodiscard]] content after_crash(random& choices) const;

    /// Calls `use(page number)` for each page that is not a hole.
    template <class F>
    void for_each_page(F&& use) const {
        for (const auto& [number, page] : now_) use(number);
    }

 private:
    using page = std::array<std::byte, page_size>;
    using pages = std::map<std::uint64_t, std::shared_ptr<page>>;
    static constexpr unsigned all_blocks = 0xff;

    [[nodiscard]] page& writable(std::uint64_t number);
    void settle(std::uint64_t number, unsigned blocks);
    void cut_pages(std::uint64_t size);

    pages now_;
    pages disk_;
    std::map<std::uint64_t, unsigned> dirty_;  // page to a bit for each block
    std::uint64_t size_ = 0;
    std::uint64_t disk_size_ = 0;
    // Of all sizes since the last sync.
    std::uint64_t smallest_ = 0;
    std::uint64_t largest_ = 0;
};

}  // namespace sluice::sim
