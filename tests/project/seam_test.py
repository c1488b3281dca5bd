"""System calls, clocks, random numbers and threads come from os/ alone, and so from its kernel."""

import os
import pathlib
import re
import unittest

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])

DECLARATION = re.compile(r"^\s*virtual [\w:&* ]+?[ *&](\w+)\(", re.MULTILINE)
# The same calls by the names of older system calls and of libc's wrappers.
OTHER_NAMES = set(
    """accept access clock_gettime creat dup epoll_create fdopendir fopen fork getrandom gettimeofday
    lstat mkdir mkstemp nanosleep open opendir pipe poll posix_spawn posix_spawnp pthread_create
    pthread_join pthread_sigmask readlink recvfrom rename renameat rmdir sched_yield select sendmsg
    sendto signal sigprocmask sleep stat statvfs statx symlink syscall time truncate unlink usleep
    vfork wait""".split()
)
STANDARD_LIBRARY = re.compile(
    r"""\b(?:
        steady_clock | high_resolution_clock | system_clock::now |
        std::(?:jthread | thread | async | mutex | condition_variable(?:_any)? | random_device |
                promise | future | latch | counting_semaphore | signal)\b |
        std::this_thread::(?:sleep_for | sleep_until | yield) |
        pthread_(?:create | join | sigmask)
    )\b""",
    re.VERBOSE,
)

# liburing's functions that make system calls. Those that fill an entry or read a completion do not.
LIBURING = re.compile(
    r"""(?<![\w>.:])io_uring_(?:
        setup | enter2? | (?:un)?register(?:_\w+)? | queue_\w+ | submit(?:_\w+)? | wait_\w+ |
        get_events | get_probe(?:_ring)? | peek_cqe
    )\s*\(""",
    re.VERBOSE,
)

# Files, and folders that end in a slash, below sluice/, that are let off, and why.
ALLOWED = {
    "os/": "the kernel itself, and what waits by it",
    "sim/": "another kernel",
    "base/check.cpp": "it runs while the program crashes, and base rests on nothing",
    "lab/usage.cpp": "it reads counters of the processor by perf_event_open(2), which glibc lacks and "
    "no simulation has",
    "lab/load/": "a load generator measures Linux, on threads and clocks of its own",
}
# A comment, a string or a character: blanked, so that no word of theirs is taken for code.
NOT_CODE = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | R"(\w*)\(.*?\)\1" | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])'""",
    re.VERBOSE | re.DOTALL,
)


def names_of(kernel):
    """The functions of the class `kernel`, of the text of its header."""
    return set(DECLARATION.findall(kernel))


def calls_of(text, names):
    """The line and the words of what goes around the kernel in one file."""
    call = re.compile(r"(?<![\w>:])::(?:" + "|".join(sorted(names)) + r")\s*\(")
    code = NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for pattern in (call, STANDARD_LIBRARY, LIBURING):
        for found in pattern.finditer(code):
            yield code.count("\n", 0, found.start()) + 1, found[0].rstrip("( ")


def is_let_off(path, row):
    return path.startswith(row) if row.endswith("/") else path == row


class Seam(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        kernel = (SOURCE / "sluice/os/kernel.hpp").read_text(encoding="utf-8")
        cls.names = names_of(kernel) | OTHER_NAMES
        cls.found = {}
        for path in sorted(SOURCE.glob("sluice/**/*")):
            if path.suffix in (".hpp", ".cpp"):
                calls = list(calls_of(path.read_text(encoding="utf-8"), cls.names))
                cls.found[path.relative_to(SOURCE / "sluice").as_posix()] = calls

    def test_the_list_of_calls_is_the_kernels(self):
        self.assertGreater(len(self.names - OTHER_NAMES), 80)
        for name in ("socket", "read", "splice", "getdents64", "mmap", "start_thread", "futex_wake"):
            self.assertIn(name, self.names)

    def test_nothing_goes_around_the_kernel(self):
        wrong = [
            f"sluice/{path}:{number}: `{words}` goes around the kernel: call os::sys(), os::clock, "
            "os::thread or os::mutex (sluice/os/)"
            for path, calls in self.found.items()
            for number, words in calls
            if not any(is_let_off(path, row) for row in ALLOWED)
        ]
        if wrong:
            self.fail("\n" + "\n".join(wrong))

    def test_every_exception_is_needed(self):
        for row in ALLOWED:
            with self.subTest(row=row):
                self.assertTrue(
                    any(calls for path, calls in self.found.items() if is_let_off(path, row)),
                    "it calls the kernel now: remove its row",
                )

    def test_every_way_around_is_seen(self):
        for line, words in (
            ("const auto n = ::read(fd, memory.data(), memory.size());", "::read"),
            ("if (::bind (fd, address, size) != 0) return;", "::bind"),
            ("unique_fd file{::open(path, O_RDONLY)};", "::open"),
            ("if (!::poll(&watched, 1, 0)) return;", "::poll"),
            ("return ::syscall(SYS_gettid);", "::syscall"),
            ("const auto begun = std::chrono::steady_clock::now();", "steady_clock"),
            ("using clock = std::chrono::steady_clock;", "steady_clock"),
            ("return system_clock::now();", "system_clock::now"),
            ("std::thread worker_;", "std::thread"),
            ("std::mutex mutex_;", "std::mutex"),
            ("std::condition_variable_any done_;", "std::condition_variable_any"),
            ("std::mt19937 numbers{std::random_device{}()};", "std::random_device"),
            ("std::this_thread::sleep_for(1ms);", "std::this_thread::sleep_for"),
            ("pthread_sigmask(SIG_BLOCK, &all, nullptr);", "pthread_sigmask"),
            ("if (io_uring_submit(&ring_) < 0) return;", "io_uring_submit"),
            ("io_uring_queue_exit(&ring_);", "io_uring_queue_exit"),
            ("io_uring_register_buf_ring(&ring_, &request, 0);", "io_uring_register_buf_ring"),
        ):
            with self.subTest(line=line):
                text = f'// A file.\nconst char* name = "it\'s";\n{line}\n'
                self.assertEqual(list(calls_of(text, self.names)), [(3, words)])

    def test_the_right_way_is_let_through(self):
        for line in (
            "const auto n = os::sys().read(fd, memory);",
            "auto sent = co_await io::send{engine, fd, data};",
            "return poll::look(fd, interest::in);",
            "int linux_kernel::close(int fd) noexcept {",
            "const auto taken = queue<int>::read(one);",
            "// ::read(2) is not called, nor std::thread used",
            'say("::read() failed on std::thread");',
            "/* ::close(fd)\n ::close(fd) */",
            "std::chrono::system_clock::time_point when_;",
            "io_uring_prep_read(&entry, fd, data, size, 0);",
            "return os::sys().io_uring_enter(fd, queued, awaited, flags, argument);",
            "int linux_kernel::io_uring_setup(unsigned entries, io_uring_params& p) noexcept {",
            "os::thread thread_;",
            "::setlocale(LC_ALL, \"\");",
        ):
            with self.subTest(line=line):
                self.assertEqual(list(calls_of(line, self.names)), [])
