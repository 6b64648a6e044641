"""TLS: whom to trust, and in plain words what went wrong."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_AUTHORITY: Final = "an authority that is not trusted signed the certificate; --ca FILE names one more"
_REASONS: Final = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed; --ca FILE trusts it",
    19: _AUTHORITY,
    20: _AUTHORITY,
    21: _AUTHORITY,
}
"""By the number that OpenSSL gives the cause (X509_V_ERR_…)."""
_MISMATCH: Final = frozenset({62, 63, 64})
_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})
_PATIENCE_SECONDS: Final = 5.0


def trust(ca: Path | None) -> ssl.SSLContext:
    """Trusts what the system trusts, or SSL_CERT_FILE and SSL_CERT_DIR name, and the certificates of a file.

    ValueError, with a sentence, if the file holds none.
    """
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except (ssl.SSLError, OSError):
            raise ValueError(f"{ca} holds no certificates in PEM form") from None
    return context


def tls_cause(error: BaseException) -> str | None:
    """Why TLS failed, as a phrase; None if the error has another cause."""
    for one in _causes(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            if one.verify_code in _MISMATCH:
                return f"the certificate is for another host ({one.verify_message.strip('. ')})"
            return _REASONS.get(one.verify_code, f"the certificate is refused ({one.verify_message})")
        if isinstance(one, ssl.SSLError) and not isinstance(one, ssl.SSLEOFError):
            if one.reason in _NOT_TLS:
                return "the port speaks no TLS; is it one for http://?"
            return f"TLS failed ({one.reason or type(one).__name__})"
    return None


def _causes(error: object) -> Iterator[BaseException]:
    """An error and those that it was made of, as the libraries hand them on."""
    seen: list[object] = []
    left = [error]
    while left:
        one = left.pop(0)
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            yield one
            left += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def speaks_tls(host: str, port: int) -> bool:
    """Whether a port that is asked without TLS wants it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), _PATIENCE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except OSError:
        return False
