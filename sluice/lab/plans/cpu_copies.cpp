// Implements copies_of(): a table per direction.
#include "sluice/lab/plans/cpu_copies.hpp"

#include "sluice/base/check.hpp"

namespace sluice::lab {
namespace {

constexpr cpu_copies twice{.a_byte = 2,
                           .in_words = "The CPU copies each byte twice: into memory, out of it."};

}  // namespace

cpu_copies copies_of(transfer::copy how) noexcept {
    switch (how) {
        case transfer::copy::read_write:
        case transfer::copy::uring: return twice;
        case transfer::copy::mmap_write:
            return {.a_byte = 1,
                    .in_words =
                        "The CPU copies each byte once: out of the source's pages, which "
                        "are mapped."};
        case transfer::copy::sendfile:
        case transfer::copy::splice:
            return {.a_byte = 1,
                    .in_words =
                        "The CPU copies each byte once: from page to page, by way of a "
                        "pipe that holds the source's."};
        case transfer::copy::automatic:
        case transfer::copy::copy_range:
            return {.a_byte = 1,
                    .in_words =
                        "The CPU copies each byte once, within the kernel; where the file "
                        "system can, both files share their blocks, and no byte moves."};
        case transfer::copy::direct:
            return {.a_byte = 0,
                    .in_words =
                        "The CPU copies no byte: past the page cache, both ways, it waits "
                        "for the disk, where the others leave the writing for later."};
    }
    check(false, "every way to copy is one of these");
    return {};
}

cpu_copies copies_of(transfer::to_socket how) noexcept {
    switch (how) {
        case transfer::to_socket::read_send: return twice;
        case transfer::to_socket::mmap_send:
            return {.a_byte = 1,
                    .in_words = "The CPU copies each byte once: out of the page cache."};
        case transfer::to_socket::zero_copy:
            return {.a_byte = 1,
                    .in_words =
                        "No copy on a card; on loopback the kernel makes one where the "
                        "receiver's side begins."};
        case transfer::to_socket::uring_read_send_zc:
            return {.a_byte = 2,
                    .in_words =
                        "The CPU copies each byte once on a card: into memory that is sent as it "
                        "is; on loopback the kernel makes another where the receiver's side "
                        "begins."};
        case transfer::to_socket::automatic:
        case transfer::to_socket::sendfile:
        case transfer::to_socket::sendfile_cork:
        case transfer::to_socket::splice:
        case transfer::to_socket::uring_splice:
            return {.a_byte = 0,
                    .in_words = "The CPU copies no byte: the socket is given pages of the cache."};
    }
    check(false, "every way to a socket is one of these");
    return {};
}

cpu_copies copies_of(transfer::to_file how) noexcept {
    switch (how) {
        case transfer::to_file::recv_write:
        case transfer::to_file::recv_write_1m:
        case transfer::to_file::recv_full:
        case transfer::to_file::uring_recv_write: return twice;
        case transfer::to_file::automatic:
        case transfer::to_file::splice:
        case transfer::to_file::uring_splice:
            return {.a_byte = 1,
                    .in_words =
                        "The CPU copies each byte once: out of the socket's pages into the "
                        "cache's."};
    }
    check(false, "every way to a file is one of these");
    return {};
}

}  // namespace sluice::lab
