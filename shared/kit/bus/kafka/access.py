"""Users and access control lists of a cluster, changed as its administrator."""

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

LIMIT_SECONDS = 20.0
_LOOK_EVERY_SECONDS = 0.02
_ANY, _ALLOW, _EVERYWHERE = 1, 3, "*"
_UNKNOWN_USER = 91  # RESOURCE_NOT_FOUND: a user without a password
_PREFIX = "User:"


class _AsItIs(Request[RequestStruct]):  # type: ignore[misc]  # aiokafka has no types
    """A request of which this module knows the version: aiokafka's own take one entry each."""

    API_KEY = -1

    def __init__(self, request: RequestStruct) -> None:
        self._request = request
        self.API_KEY = request.API_KEY
        self._CLASSES = (type(request),)

    def build(self, request_struct_class: type[RequestStruct]) -> RequestStruct:
        """Return the request that was handed in."""
        del request_struct_class
        return self._request


class Access:
    """What an administrator does with users. Every method raises `Transient` when it fails."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    async def users(self) -> frozenset[str]:
        """Name the users that have a password."""
        answer = await self._send(UsersRequest())
        _require_success(answer.error_code, answer.error_message)
        return frozenset(name for name, *_ in answer.results)

    async def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Make these users, or give them these passwords."""
        await self._alter(AlterScramRequest(passwords))

    async def remove_user(self, user: str) -> bool:
        """Take away a user's password and entries; False when there was no such user."""
        await self.revoke(await self.entries(user))
        return await self._alter(AlterScramRequest({}, (user,)))

    async def allow(self, entries: Collection[Acl]) -> None:
        """Add entries, and return when the brokers asked know them."""
        if entries:
            rows = [_row(entry) for entry in sorted(entries)]
            answer = await self._send(_AsItIs(CreateAclsRequest_v1(rows)))
            for code, message in answer.creation_responses:
                _require_success(code, message)
        async with asyncio.timeout(LIMIT_SECONDS):
            while not frozenset(entries) <= await self.entries():  # noqa: ASYNC110  a broker rings nobody
                await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def revoke(self, entries: Collection[Acl]) -> None:
        """Remove entries."""
        if entries:
            rows = [_row(entry) for entry in sorted(entries)]
            answer = await self._send(_AsItIs(DeleteAclsRequest_v1(rows)))
            for code, message, _ in answer.filter_responses:
                _require_success(code, message)

    async def entries(self, user: str | None = None) -> frozenset[Acl]:
        """List what is allowed, to one user or to all."""
        principal = None if user is None else f"{_PREFIX}{user}"
        wanted = DescribeAclsRequest_v1(_ANY, None, _ANY, principal, None, _ANY, _ANY)
        answer = await self._send(_AsItIs(wanted))
        _require_success(answer.error_code, answer.error_message)
        return frozenset(
            Acl(
                owner.removeprefix(_PREFIX),
                Resource(resource),
                name,
                Operation(operation),
                Pattern(pattern),
            )
            for resource, name, pattern, rows in answer.resources
            for owner, host, operation, permission in rows
            if _is_ours(resource, operation, permission) and host == _EVERYWHERE
        )

    async def _alter(self, request: AlterScramRequest) -> bool:
        answer = await self._send(request)
        for _, code, message, _ in answer.results:
            if code == _UNKNOWN_USER:
                return False
            _require_success(code, message)
        return True

    async def _send(self, request: Any) -> Any:  # Any: aiokafka has no types
        with raise_as_transient("changing users of Kafka"):
            async with asyncio.timeout(LIMIT_SECONDS):
                node = self._client.get_random_node()
                while not await self._client.ready(node):  # noqa: ASYNC110  the client rings nobody
                    await asyncio.sleep(_LOOK_EVERY_SECONDS)
                return await self._client.send(node, request)


@asynccontextmanager
async def connect_as_admin(cluster: Cluster) -> AsyncIterator[Access]:
    """Connect as the administrator."""
    client = AIOKafkaClient(**cluster.client_options(), client_id="preau-access")
    try:
        with raise_as_transient("connecting to Kafka"):
            await client.bootstrap()
        yield Access(client)
    finally:
        await client.close()


def _is_ours(resource: int, operation: int, permission: int) -> bool:
    """Return whether an entry is of the few kinds that this product writes."""
    known = resource in set(Resource) and operation in set(Operation)
    return known and permission == _ALLOW


def _row(entry: Acl) -> tuple[object, ...]:
    principal = f"{_PREFIX}{entry.user}"
    head = (int(entry.resource), entry.name, int(entry.pattern), principal, _EVERYWHERE)
    return (*head, int(entry.operation), _ALLOW)


def _require_success(code: int, message: str | None) -> None:
    error = for_code(code)
    if error is not NoError:
        with raise_as_transient("changing users of Kafka"):
            raise error(message)
