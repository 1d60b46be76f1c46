"""TLS parameters of a PostgreSQL URL, as libpq: `?sslmode=verify-full&sslrootcert=/path/ca.pem`.

Trap: SQLAlchemy passes these parameters to asyncpg as arguments, which asyncpg rejects.
"""

import ssl
from typing import Any, Literal, get_args

from sqlalchemy.engine import URL, make_url

from shared.kit.core.settings import SettingError

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
_NAMES = ("sslmode", "sslrootcert", "sslcert", "sslkey")


def engine_address(url: str) -> tuple[URL, dict[str, Any]]:
    """Split a URL into one without TLS parameters and asyncpg's `ssl` argument.

    Without `sslmode` asyncpg's default applies, which prefers TLS. Raises `SettingError` for an
    unknown mode or an unusable certificate.
    """
    parsed = make_url(url)
    parameters = {name: str(parsed.query[name]) for name in _NAMES if name in parsed.query}
    if not parameters:
        return parsed, {}
    default_mode = "verify-full" if "sslrootcert" in parameters else "prefer"
    mode = parameters.get("sslmode", default_mode)
    if mode not in get_args(SslMode):
        message = f"sslmode={mode} is none of {', '.join(get_args(SslMode))}."
        raise SettingError(message)
    address = parsed.difference_update_query(_NAMES)
    if mode in {"disable", "allow", "prefer"}:
        return address, {"ssl": mode}
    try:
        return address, {"ssl": _ssl_context(mode, parameters)}
    except (OSError, ssl.SSLError) as error:
        message = f"A certificate or key of PostgreSQL's address cannot be used: {error}."
        raise SettingError(message) from error


def _ssl_context(mode: str, parameters: dict[str, str]) -> ssl.SSLContext:
    root = parameters.get("sslrootcert")
    context = ssl.create_default_context(cafile=root)
    context.check_hostname = mode == "verify-full"
    # As libpq: `require` verifies the certificate only when a root certificate is given.
    if mode == "require" and root is None:
        context.verify_mode = ssl.CERT_NONE
    if "sslcert" in parameters:
        context.load_cert_chain(parameters["sslcert"], parameters.get("sslkey"))
    return context
