import pytest

from deploy.local import outside
from deploy.local.errors import StackError
from deploy.local.stack import Addresses

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_a_postgresql_that_is_new_enough_is_taken(postgres_addresses: Addresses) -> None:
    url = postgres_addresses.postgres

    assert await outside.postgres(url) == url


async def test_an_old_postgresql_is_refused_in_one_line(postgres_addresses: Addresses) -> None:
    with pytest.raises(StackError, match=r"PostgreSQL \d+ is too old: 99 or newer"):
        await outside.postgres(postgres_addresses.postgres, oldest=99)
