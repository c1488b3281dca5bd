// Open file descriptions of the simulated disk: files, directories, and the texts below /proc.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "sluice/sim/description.hpp"
#include "sluice/sim/disk.hpp"

namespace sluice::sim {

/// A regular file or a directory. The disk outlives it.
class file_description final : public description {
 public:
    /// `owner` is its own among all descriptions: it has their locks.
    file_description(disk& on, opened_inode file, int flags, std::uint64_t owner) noexcept
        : description{kind::file, flags},
          disk_{on},
          file_{std::move(file)},
          owner_{owner},
          seen_{file_.node()->told_syncs} {}
    ~file_description() override { hang_up(); }

    [[nodiscard]] const inode_ref& node() const noexcept { return file_.node(); }
    [[nodiscard]] std::uint64_t& position() noexcept { return position_; }
    /// The failures to sync that it was told of.
    [[nodiscard]] std::uint64_t& seen() noexcept { return seen_; }
    [[nodiscard]] bool reads() const noexcept {
        return (flags() & O_ACCMODE) != O_WRONLY && (flags() & O_PATH) == 0;
    }
    [[nodiscard]] bool writes() const noexcept {
        return (flags() & O_ACCMODE) != O_RDONLY && (flags() & O_PATH) == 0;
    }
    /// flock(2), without waiting.
    [[nodiscard]] int flock(int operation) { return node()->locks.flock(owner_, operation); }

    [[nodiscard]] ssize_t read(mutable_bytes memory) noexcept override {
        const auto n = pread(memory, position_);
        if (n > 0) position_ += static_cast<std::uint64_t>(n);
        return n;
    }
    [[nodiscard]] ssize_t write(const_bytes data) noexcept override {
        if (!writes()) return -EBADF;
        return disk_.write(*node(), position_, data, (flags() & O_APPEND) != 0);
    }
    [[nodiscard]] ssize_t pread(mutable_bytes memory, std::uint64_t at) noexcept override {
        if (!reads()) return -EBADF;
        disk_.maybe_change(*node());
        return disk_.read(*node(), at, memory);
    }
    [[nodiscard]] ssize_t pwrite(const_bytes data, std::uint64_t at) noexcept override {
        if (!writes()) return -EBADF;
        return disk_.write(*node(), at, data, (flags() & O_APPEND) != 0);
    }
    [[nodiscard]] ssize_t peek(mutable_bytes memory) noexcept override {
        return pread(memory, position_);
    }
    void consume(std::size_t n) noexcept override { position_ += n; }
    [[nodiscard]] int truncate(std::uint64_t size) noexcept override {
        return writes() ? disk_.resize(*node(), size) : -EINVAL;
    }
    [[nodiscard]] int lock(int command, struct flock& wanted) noexcept override {
        if (command == F_OFD_SETLK && wanted.l_type == F_WRLCK && !writes()) return -EBADF;
        if (command == F_OFD_SETLK && wanted.l_type == F_RDLCK && !reads()) return -EBADF;
        return node()->locks.of_description(owner_, command, wanted);
    }
    [[nodiscard]] int stat(struct stat& into) noexcept override {
        disk::stat(*node(), into);
        return 0;
    }
    void hang_up() noexcept override {
        if (node() == nullptr) return;
        node()->locks.release(owner_);
        file_ = {};
    }

 private:
    disk& disk_;
    opened_inode file_;
    std::uint64_t owner_;
    std::uint64_t position_ = 0;
    std::uint64_t seen_;
};

/// A text that the kernel made when it was opened (proc(5)).
class text_description final : public description {
 public:
    text_description(std::string text, int flags) noexcept
        : description{kind::device, flags}, text_{std::move(text)} {}

    [[nodiscard]] ssize_t read(mutable_bytes memory) noexcept override {
        const auto n = pread(memory, position_);
        position_ += static_cast<std::uint64_t>(n);
        return n;
    }
    [[nodiscard]] ssize_t pread(mutable_bytes memory, std::uint64_t at) noexcept override {
        const auto n =
            std::min<std::uint64_t>(memory.size(), text_.size() - std::min(at, text_.size()));
        if (n > 0) std::memcpy(memory.data(), text_.data() + at, n);
        return static_cast<ssize_t>(n);
    }

 private:
    std::string text_;
    std::uint64_t position_ = 0;
};

}  // namespace sluice::sim
