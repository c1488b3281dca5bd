"""What every subcommand is asked, how it says how far it is, and where its samples go."""

import json
import sys


def add_common_arguments(parser, servers, cases, always=None):
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument(
        "--seconds", type=float, default=2, metavar="S", help="of each measurement; default: 2"
    )
    there = f"; {always} is always there" if always else ""
    parser.add_argument("--only", metavar="SERVER,...", help=f"of {', '.join(servers)}{there}")
    parser.add_argument(
        "--case", metavar="NAME,...", help=f"of {', '.join(cases)}; default: all"
    )
    parser.add_argument("--json", metavar="FILE", help="write every sample there as well")
    parser.add_argument(
        "--nice",
        type=int,
        default=0,
        metavar="N",
        help="for servers and load; -15 keeps other work away, as root",
    )


def refuse(subcommand, what):
    print(f"compare-peers {subcommand}: {what}", file=sys.stderr)
    sys.exit(2)


def check_common(subcommand, arguments):
    if arguments.rounds < 1 or arguments.seconds <= 0:
        refuse(subcommand, "--rounds and --seconds must be above 0")


def chosen(subcommand, text, known, default, what):
    """The names in `text`, each one of `known`; `default` where nothing was said."""
    if text is None:
        return default
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            refuse(subcommand, f"there is no {what} '{name}'; there are {', '.join(known)}")
    return names


def opened(subcommand, path):
    """`path` open for writing, now rather than after minutes of work; None for None."""
    if path is None:
        return None
    try:
        return open(path, "w", encoding="utf-8")
    except OSError as error:
        return refuse(subcommand, f"--json cannot be written: {error}")


def write(file, what):
    if file:
        with file:
            json.dump(what, file, indent=1)
            file.write("\n")


class Progress:
    """One line on stderr that overwrites itself, on a terminal only."""

    def __init__(self):
        self.on = sys.stderr.isatty()

    def say(self, what):
        if self.on:
            print(f"\r\033[K{what} ", end="", file=sys.stderr, flush=True)

    def done(self):
        self.say("")
        if self.on:
            print("\r", end="", file=sys.stderr, flush=True)
