"""Certificates, and Python's ssl as a client of sluice's doors."""

import pathlib
import re
import socket
import ssl
import subprocess
import tempfile

from talk_rig import TIMEOUT, Socket


def openssl(*words, stdin=b"", **options):
    return subprocess.run(
        ["openssl", *map(str, words)], input=stdin, capture_output=True, timeout=TIMEOUT, **options
    )


class Authority:
    """An authority, and what it has signed, in a folder that goes with what is called at the end."""

    def __init__(self, at_the_end, name="a test authority"):
        folder = tempfile.TemporaryDirectory()
        at_the_end(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "authority.pem"
        self.key = self.folder / "authority.key"
        self.run(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-days", "2", "-keyout", self.key, "-out", self.file,
        )

    def run(self, *words):
        done = openssl(*words)
        assert done.returncode == 0, done.stderr

    def sign(self, name, names="DNS:localhost,IP:127.0.0.1", subject=None):
        """A certificate and its key, for `names`, as files. Its subject is `name` or `subject`."""
        made, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.req", self.folder / f"{name}.ext"
        self.run(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", subject or f"/CN={name}", "-keyout", key, "-out", request,
        )
        extensions.write_text(f"subjectAltName={names}\n", encoding="ascii")
        self.run(
            "x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key,
            "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", made,
        )
        return made, key


def client_context(authority=None, certificate=None, version=None):
    """Trusts `authority`, or whatever the server shows; shows `certificate`, files of it and its
    key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(authority.file)
    if certificate:
        context.load_cert_chain(*certificate)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def dial_tls(port, context=None, session=None):
    """A connection over TLS, which counts nothing as the end but the announced one."""
    connected = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return (context or client_context()).wrap_socket(
        connected, server_hostname="localhost", suppress_ragged_eofs=False, session=session
    )


def call_tls(port, context=None):
    return Socket(dial_tls(port, context))


def fingerprint_said_by(server):
    """What a server says at its start."""
    return server.expect_stderr(r"^TLS with the certificate of SHA-256 fingerprint (\w{64})$")[1]


def fingerprint_of(certificate):
    done = openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256")
    return re.sub(r".*=|:|\s", "", done.stdout.decode()).lower()
