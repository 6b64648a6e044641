"""Certificates for the server: from files, or made for it. Imported for those who want https."""

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class NoCertificate(Exception):
    """There is no certificate to serve with; the message says why, and what to do."""


class Tls(NamedTuple):
    """What a server shows its clients, and the file of the authority that they must trust, if it was made."""

    context: ssl.SSLContext
    ca: Path | None


def tls_from(certificate: Path, key: Path | None) -> Tls:
    """That of a certificate and its key, which may be in one file, in PEM; NoCertificate."""
    context = _context()
    try:
        context.load_cert_chain(certificate, key, password="")  # nobody is asked for one
    except (OSError, ssl.SSLError) as error:
        names = f"{certificate} and {key}" if key else str(certificate)
        raise NoCertificate(f"{names} can't be used as a certificate with its key: {error}") from error
    return Tls(context, None)


@contextmanager
def made_tls(names: Iterable[str]) -> Iterator[Tls]:
    """One that is made now, for loopback and these names. The file is there until the end. NoCertificate."""
    try:
        import trustme  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise NoCertificate("--tls needs trustme: pip install 'alvys-sandbox[tls]'") from error
    authority, context = trustme.CA(), _context()
    try:
        authority.issue_cert(*dict.fromkeys((*_LOOPBACK, *names))).configure_cert(context)
    except ValueError as error:
        raise NoCertificate(f"No certificate can be made: {error}") from error
    with TemporaryDirectory(prefix="alvys-mock-") as folder:
        path = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        yield Tls(context, path)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    return context
