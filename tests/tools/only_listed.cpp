// Runs a command that is ended (SIGSYS) by each system call that is not in the table of the
// sandbox.
//
// Usage: only_listed "CALLS THAT THE COMMAND MAKES BESIDES" COMMAND [ARGUMENT...]
// Exit status: the command's; 2 for a wrong call; 125 if the filter could not be installed; 127 if
// the command could not be run.
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <sstream>
#include <string>

#include "sluice/sandbox/system_calls.hpp"

int main(int count, char** words) {
    if (count < 3) {
        std::fprintf(stderr, "usage: only_listed CALLS COMMAND [ARGUMENT...]\n");
        return 2;
    }
    // Calls that the filter of a server looks into, and those by which a program and its threads
    // start. clone3(2) is not there, as under a server's filter.
    std::string calls =
        "clone fcntl ioctl mmap mprotect prctl prlimit64 execve arch_prctl set_tid_address ";
    for (const auto rows :
         {sluice::sandbox::calls_of_kernel(), sluice::sandbox::calls_of_library()}) {
        for (const auto& row : rows) calls.append(row.calls).append(" ");
    }
    calls += words[1];
    void* rules = ::seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (rules == nullptr) return 125;
    bool good = ::seccomp_rule_add(rules, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
    // cachestat(2), which libseccomp 2.5 does not know.
    good = good && ::seccomp_rule_add(rules, SCMP_ACT_ALLOW, 451, 0) == 0;
    std::istringstream in{calls};
    for (std::string each; in >> each;) {
        const int number = ::seccomp_syscall_resolve_name(each.c_str());
        if (number >= 0) {
            good = good && ::seccomp_rule_add(rules, SCMP_ACT_ALLOW, number, 0) == 0;
        }
    }
    good = good && ::seccomp_load(rules) == 0;
    ::seccomp_release(rules);
    if (!good) return 125;
    ::execv(words[2], words + 2);
    return 127;
}
