// Runs a command with io_uring's system calls failing as under a container's seccomp filter.
//
// Usage: deny_io_uring EPERM|ENOSYS -- COMMAND [ARGUMENT...]
// Exit status: the command's; 2 for a wrong call; 125 if the filter could not be installed; 126 or
// 127 if the command could not be run, as in a shell.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace {

// io_uring_setup, _enter and _register stand side by side, under the same numbers on every
// architecture, so one range holds them all.
static_assert(__NR_io_uring_enter == __NR_io_uring_setup + 1);
static_assert(__NR_io_uring_register == __NR_io_uring_setup + 2);

bool deny_io_uring_with(unsigned code) {
    std::array<sock_filter, 5> program{
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        sock_filter{BPF_JMP | BPF_JGE | BPF_K, 0, 2, __NR_io_uring_setup},
        sock_filter{BPF_JMP | BPF_JGT | BPF_K, 1, 0, __NR_io_uring_register},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | code},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    // Without new privileges a filter needs no root: seccomp(2).
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

}  // namespace

int main(int count, char** words) {
    const std::string_view name = count > 1 ? words[1] : "";
    const unsigned code = name == "EPERM" ? EPERM : name == "ENOSYS" ? ENOSYS : 0;
    if (count < 4 || code == 0 || std::string_view{words[2]} != "--") {
        std::fputs("usage: deny_io_uring EPERM|ENOSYS -- COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    if (!deny_io_uring_with(code)) {
        std::fprintf(stderr, "deny_io_uring: cannot install a seccomp filter: %s\n",
                     std::strerror(errno));
        return 125;
    }
    ::execvp(words[3], words + 3);
    std::fprintf(stderr, "deny_io_uring: cannot run %s: %s\n", words[3], std::strerror(errno));
    return errno == ENOENT ? 127 : 126;
}
