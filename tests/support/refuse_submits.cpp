// A seccomp filter that looks at the flags of io_uring_enter.
#include "tests/support/refuse_submits.hpp"

#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>

namespace sluice::test {

bool refuse_plain_submits() {
    static_assert(std::endian::native == std::endian::little, "the low half of a word comes first");
    constexpr unsigned flags_at = offsetof(seccomp_data, args) + (3 * sizeof(__u64));
    std::array<sock_filter, 6> program{
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 3, __NR_io_uring_enter},
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, flags_at},
        sock_filter{BPF_JMP | BPF_JSET | BPF_K, 1, 0, IORING_ENTER_GETEVENTS},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EBUSY},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

}  // namespace sluice::test
