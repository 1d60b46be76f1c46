"""TLS to PostgreSQL as libpq's addresses say it: `?sslmode=verify-full&sslrootcert=/path/ca.pem`.

Trap: SQLAlchemy hands these on to asyncpg as arguments, which knows none of them.
"""

import ssl
from typing import Any, Literal, get_args

from sqlalchemy.engine import URL, make_url

from shared.kit.core.settings import SettingError

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
_NAMES = ("sslmode", "sslrootcert", "sslcert", "sslkey")


def engine_address(url: str) -> tuple[URL, dict[str, Any]]:
    """Split an address into what SQLAlchemy takes and asyncpg's `ssl` argument.

    Without `sslmode` asyncpg's own default holds, which prefers TLS. Raises `SettingError` for a
    mode that is none, or a certificate that cannot be used.
    """
    read = make_url(url)
    words = {name: str(read.query[name]) for name in _NAMES if name in read.query}
    if not words:
        return read, {}
    mode = words.get("sslmode", "verify-full" if "sslrootcert" in words else "prefer")
    if mode not in get_args(SslMode):
        message = f"sslmode={mode} is none of {', '.join(get_args(SslMode))}."
        raise SettingError(message)
    address = read.difference_update_query(_NAMES)
    if mode in {"disable", "allow", "prefer"}:
        return address, {"ssl": mode}
    try:
        return address, {"ssl": _context(mode, words)}
    except (OSError, ssl.SSLError) as error:
        message = f"A certificate or key of PostgreSQL's address cannot be used: {error}."
        raise SettingError(message) from error


def _context(mode: str, words: dict[str, str]) -> ssl.SSLContext:
    root = words.get("sslrootcert")
    context = ssl.create_default_context(cafile=root)
    context.check_hostname = mode == "verify-full"
    # As libpq: `require` looks at the certificate only where it is told whom to trust.
    if mode == "require" and root is None:
        context.verify_mode = ssl.CERT_NONE
    if "sslcert" in words:
        context.load_cert_chain(words["sslcert"], words.get("sslkey"))
    return context
