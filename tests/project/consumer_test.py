"""An outside project finds, builds with and runs against an installed sluice."""

import os
import pathlib
import shlex
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])
BUILD = pathlib.Path(os.environ["SLUICE_BUILD"])
CONSUMER = SOURCE / "tests" / "project" / "consumer"
FLAGS = ["-std=c++23", "-Wall", "-Wextra", "-Werror"]


def output_of(*command, **options):
    """Runs a command; its output, and an AssertionError that shows it when the command failed."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )
    if done.returncode != 0:
        raise AssertionError(
            f"{shlex.join(done.args)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def compiler():
    """The C++ compiler sluice itself was built with."""
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith("CMAKE_CXX_COMPILER:"):
            return line.partition("=")[2]
    raise AssertionError(f"no CMAKE_CXX_COMPILER in {BUILD}/CMakeCache.txt")


class Consumer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        # Installed in one place and moved to another: nothing may remember the first.
        first = pathlib.Path(cls.folder.name) / "first"
        output_of("cmake", "--install", BUILD, "--prefix", first)
        cls.prefix = first.rename(first.with_name("installed"))
        cls.work = pathlib.Path(cls.folder.name) / "work"
        cls.work.mkdir()

    def pkg_config(self, *words):
        found = list(self.prefix.glob("**/pkgconfig/sluice.pc"))
        self.assertEqual(len(found), 1, f"one sluice.pc expected below the prefix: {found}")
        return output_of(
            "pkg-config", *words, "sluice", env={**os.environ, "PKG_CONFIG_PATH": found[0].parent}
        ).split()

    def test_find_package(self):
        output_of(
            "cmake", "-G", "Ninja", "-S", CONSUMER, "-B", self.work / "cmake",
            f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_CXX_COMPILER={compiler()}",
            f"-DCMAKE_CXX_FLAGS={shlex.join(FLAGS[1:])}",
        )
        output_of("cmake", "--build", self.work / "cmake")
        for program in ("by_package", "runtime_alone"):
            self.assertEqual(output_of(self.work / "cmake" / program), "connection refused\n")
        # What it does not link it does not need.
        needed = output_of("readelf", "--dynamic", self.work / "cmake" / "runtime_alone")
        for library in ("libcrypto", "libicu"):
            self.assertNotIn(library, needed)

    def test_pkg_config(self):
        program = self.work / "by_pkg_config"
        output_of(
            compiler(), *FLAGS, CONSUMER / "main.cpp", "-o", program,
            *self.pkg_config("--cflags", "--libs"),
        )
        self.assertEqual(output_of(program), "connection refused\n")

    def test_an_older_or_newer_minor_version_is_refused(self):
        text = (CONSUMER / "CMakeLists.txt").read_text()
        self.assertIn("sluice 0.1 ", text)
        for version in ("0.0", "0.2"):
            other = self.work / f"wants_{version}"
            other.mkdir()
            (other / "main.cpp").write_text("int main() {}\n")
            (other / "CMakeLists.txt").write_text(text.replace("sluice 0.1 ", f"sluice {version} "))
            with self.assertRaisesRegex(AssertionError, r"compatible\s+with requested"):
                output_of(
                    "cmake", "-G", "Ninja", "-S", other, "-B", other / "build",
                    f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_CXX_COMPILER={compiler()}",
                )

    def test_the_installed_tree_holds_what_it_should(self):
        def below(pattern):
            return {str(path.relative_to(self.prefix)) for path in self.prefix.glob(pattern)}

        ours = {
            f"include/{path.relative_to(SOURCE)}"
            for path in SOURCE.glob("sluice/**/*.hpp")
            if not {"cli", "sandbox", "sim"} & set(path.relative_to(SOURCE).parts)
        }
        self.assertEqual(below("include/**/*.hpp"), ours)
        self.assertEqual(below("include/**/*.cpp"), set())
        if (SOURCE / "sluice" / "cli" / "main.cpp").exists():
            self.assertEqual(below("bin/*"), {"bin/sluice"})
            self.assertLessEqual(
                {"share/man/man1/sluice.1", "share/man/man1/sluice-chat-serve.1"},
                below("share/man/man1/*"),
            )
            self.assertEqual(below("share/man/man5/*"), {"share/man/man5/sluice.conf.5"})
            for path in (
                "bash-completion/completions/sluice", "zsh/vendor-completions/_sluice",
                "fish/vendor_completions.d/sluice.fish",
            ):
                self.assertEqual(below(f"share/{path}"), {f"share/{path}"})
