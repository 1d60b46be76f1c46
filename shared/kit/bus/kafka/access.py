"""Manages the users and access control lists (ACLs) of a cluster, as its administrator."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NoError, for_code
from aiokafka.protocol.admin import (
    CreateAclsRequest_v1,
    DeleteAclsRequest_v1,
    DescribeAclsRequest_v1,
)
from aiokafka.protocol.api import Request, RequestStruct

from shared.kit.bus.kafka.acls import Acl, Operation, Pattern, Resource
from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.bus.kafka.conversions import raise_as_transient
from shared.kit.bus.kafka.scram import AlterScramRequest, UsersRequest

REQUEST_TIMEOUT_SECONDS = 20.0
_POLL_INTERVAL_SECONDS = 0.02
_ANY, _ALLOW, _ANY_HOST = 1, 3, "*"
_UNKNOWN_USER = 91  # RESOURCE_NOT_FOUND: a user without a password
_PREFIX = "User:"


class _FixedVersionRequest(Request[RequestStruct]):  # type: ignore[misc]  # aiokafka has no types
    """A request with several entries in a fixed version: aiokafka's own requests take one entry."""

    API_KEY = -1

    def __init__(self, request: RequestStruct) -> None:
        self._request = request
        self.API_KEY = request.API_KEY
        self._CLASSES = (type(request),)

    def build(self, request_struct_class: type[RequestStruct]) -> RequestStruct:
        """Return the request, whose version is fixed."""
        del request_struct_class
        return self._request


class Access:
    """Administration of users and ACLs. Every method raises `Transient` when it fails."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    async def users(self) -> frozenset[str]:
        """Return the names of the users with a password."""
        response = await self._send(UsersRequest())
        _require_success(response.error_code, response.error_message)
        return frozenset(name for name, *_ in response.results)

    async def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Create these users, or change their passwords."""
        await self._alter(AlterScramRequest(passwords))

    async def remove_user(self, user: str) -> bool:
        """Remove a user's ACLs and password; False when there was no such user."""
        await self.revoke(await self.entries(user))
        return await self._alter(AlterScramRequest({}, (user,)))

    async def allow(self, entries: Collection[Acl]) -> None:
        """Add ACLs, and return when a broker lists them."""
        if entries:
            rows = [_row(entry) for entry in sorted(entries)]
            response = await self._send(_FixedVersionRequest(CreateAclsRequest_v1(rows)))
            for code, message in response.creation_responses:
                _require_success(code, message)
        async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
            while not frozenset(entries) <= await self.entries():  # noqa: ASYNC110  the broker has no event
                await asyncio.sleep(_POLL_INTERVAL_SECONDS)

    async def revoke(self, entries: Collection[Acl]) -> None:
        """Remove ACLs."""
        if entries:
            rows = [_row(entry) for entry in sorted(entries)]
            response = await self._send(_FixedVersionRequest(DeleteAclsRequest_v1(rows)))
            for code, message, _ in response.filter_responses:
                _require_success(code, message)

    async def entries(self, user: str | None = None) -> frozenset[Acl]:
        """List the ACLs of one user, or of all users."""
        principal = None if user is None else f"{_PREFIX}{user}"
        request = DescribeAclsRequest_v1(_ANY, None, _ANY, principal, None, _ANY, _ANY)
        response = await self._send(_FixedVersionRequest(request))
        _require_success(response.error_code, response.error_message)
        return frozenset(
            Acl(
                owner.removeprefix(_PREFIX),
                Resource(resource),
                name,
                Operation(operation),
                Pattern(pattern),
            )
            for resource, name, pattern, rows in response.resources
            for owner, host, operation, permission in rows
            if _is_supported(resource, operation, permission) and host == _ANY_HOST
        )

    async def _alter(self, request: AlterScramRequest) -> bool:
        response = await self._send(request)
        for _, code, message, _ in response.results:
            if code == _UNKNOWN_USER:
                return False
            _require_success(code, message)
        return True

    async def _send(self, request: Any) -> Any:  # Any: aiokafka has no types
        with raise_as_transient("changing users of Kafka"):
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                node = self._client.get_random_node()
                while not await self._client.ready(node):  # noqa: ASYNC110  the client has no event
                    await asyncio.sleep(_POLL_INTERVAL_SECONDS)
                return await self._client.send(node, request)


@asynccontextmanager
async def connect_as_admin(cluster: Cluster) -> AsyncIterator[Access]:
    """Connect as the administrator; disconnect at the end of the block."""
    client = AIOKafkaClient(**cluster.client_options(), client_id="preau-access")
    try:
        with raise_as_transient("connecting to Kafka"):
            await client.bootstrap()
        yield Access(client)
    finally:
        await client.close()


def _is_supported(resource: int, operation: int, permission: int) -> bool:
    """Return whether an ACL is of a kind that this product creates."""
    is_known_kind = resource in set(Resource) and operation in set(Operation)
    return is_known_kind and permission == _ALLOW


def _row(entry: Acl) -> tuple[object, ...]:
    principal = f"{_PREFIX}{entry.user}"
    head = (int(entry.resource), entry.name, int(entry.pattern), principal, _ANY_HOST)
    return (*head, int(entry.operation), _ALLOW)


def _require_success(code: int, message: str | None) -> None:
    error = for_code(code)
    if error is not NoError:
        with raise_as_transient("changing users of Kafka"):
            raise error(message)
