"""TLS 1.3 beside nginx: downloads from the page cache, an upload, full and resumed handshakes."""

import pathlib

from . import building, download, files
from .processes import Process

SUITES = {
    "aes128": "TLS_AES_128_GCM_SHA256",
    "aes256": "TLS_AES_256_GCM_SHA384",
    "chacha20": "TLS_CHACHA20_POLY1305_SHA256",
}
# nginx gives two tickets after a full handshake, sluice one; after a resumed one each gives one. The
# load spends about as much CPU on a handshake as a server, so its core may be the limit of the rate.
HANDSHAKES = ("full", "resumed")
# What the load does, the suite that it offers, and its clients.
CASES = {
    **{
        f"{name}-{clients}": ("get", suite, clients)
        for name, suite in SUITES.items()
        for clients in (1, 8)
    },
    "put": ("put", SUITES["aes128"], 1),
    **{kind: (kind, SUITES["aes128"], 4) for kind in HANDSHAKES},
}
SERVERS = {
    "nginx": None,
    "epoll": ["--engine", "epoll"],
    "uring": ["--engine", "uring"],
}


def add_arguments(parser):
    files.add_arguments(parser, SERVERS, CASES)


def make_certificate(folder, core):
    """A key (P-256) and a certificate of its own signature: the files (certificate, key)."""
    chain, key = pathlib.Path(folder, "certificate.pem"), pathlib.Path(folder, "key.pem")
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", key, "-out", chain, "-days", "2", "-subj", "/CN=localhost",
    ]
    with Process(command, core) as maker:
        maker.output(files.TIMEOUT)
    return chain, key


def run(arguments):
    comparison = files.Comparison("tls", arguments, SERVERS, CASES, program="tls_load")
    building.build("bench_tls", "sluice_program", peers=True)
    size = arguments.size * files.GIB
    with files.workspace(arguments) as where:
        store, uploads = pathlib.Path(where, "store"), pathlib.Path(where, "uploads")
        store.mkdir()
        uploads.mkdir()
        download.make_large(store, size)
        core, nice = comparison.server_core, arguments.nice
        certificate = make_certificate(where, comparison.load_core)

        def start(name, root):
            if name == "nginx":
                return files.Nginx(where, root, core, nice, certificate)
            chain, key = certificate
            # nginx does not wait for the disk, so ours does not either.
            return files.Sluice(
                "serve", root, "--http", "127.0.0.1:0", "--tls", "--cert", chain, "--key", key,
                *SERVERS[name], "--workers", "1", "--no-sync", "--quiet", core=core, nice=nice,
            )

        def measure(case, name):
            kind, suite, clients = CASES[case]
            flags = ["--suite", suite, "--clients", clients]
            if kind in HANDSHAKES:
                flags += ["--seconds", arguments.seconds]
            else:
                flags += ["--size", size, "--path", "/upload" if kind == "put" else "/large"]
            if kind == "put":
                files.settle(uploads)
            elif kind == "get":
                download.read_through(store)
            with start(name, uploads if kind == "put" else store) as server:
                if kind == "put":
                    files.touch(files.TOUCHED * size * clients)
                return comparison.load(kind, server, *flags)

        comparison.measure(measure)
        comparison.show(["nginx"], dict.fromkeys(HANDSHAKES, "handshake"))
    return 0
