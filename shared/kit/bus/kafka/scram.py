"""Requests to list and change users with SCRAM passwords, which aiokafka 0.14 lacks."""

import hashlib
import secrets
from collections.abc import Collection, Mapping

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

ITERATIONS = 4096
"""Kafka's minimum; the passwords here are random, so more iterations would not protect them."""
_SHA_256 = 1


class _Response(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _RequestV0(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(
                ("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)
            ),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterScramRequest(Request[_RequestV0]):  # type: ignore[misc]  # aiokafka has no types
    """A request to set the passwords of some users, and to remove those of other users."""

    API_KEY = 51

    def __init__(self, passwords: Mapping[str, str], removed: Collection[str] = ()) -> None:
        self._passwords, self._removed = passwords, removed

    def build(self, request_struct_class: type[_RequestV0]) -> _RequestV0:
        """Fill the request; the broker receives salted hashes, never a password."""
        deletions: list[tuple[object, ...]] = [(name, _SHA_256, {}) for name in self._removed]
        upsertions = [_upsertion(name, password) for name, password in self._passwords.items()]
        return request_struct_class(deletions, upsertions, {})


class _UsersResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 50
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", CompactString("utf-8")),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                (
                    "credentials",
                    CompactArray(
                        ("mechanism", Int8), ("iterations", Int32), ("tags", TaggedFields)
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _UsersRequestV0(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    FLEXIBLE_VERSION = True
    API_KEY = 50
    API_VERSION = 0
    RESPONSE_TYPE = _UsersResponse
    SCHEMA = Schema(
        ("users", CompactArray(("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("tags", TaggedFields),
    )


class UsersRequest(Request[_UsersRequestV0]):  # type: ignore[misc]  # aiokafka has no types
    """A request for the users with a password."""

    API_KEY = 50

    def build(self, request_struct_class: type[_UsersRequestV0]) -> _UsersRequestV0:
        """Fill the request: a null list means all users, an empty one none."""
        return request_struct_class(None, {})


def _upsertion(name: str, password: str) -> tuple[object, ...]:
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    return name, _SHA_256, ITERATIONS, salt, salted, {}
