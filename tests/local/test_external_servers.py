import pytest

from deploy.local import external_servers
from deploy.local.errors import StackError
from deploy.local.stack import StackAddresses

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_new_enough_postgresql_is_accepted(postgres_addresses: StackAddresses) -> None:
    url = postgres_addresses.postgres

    assert await external_servers.check_postgres(url) == url


async def test_old_postgresql_is_refused_in_one_line(postgres_addresses: StackAddresses) -> None:
    with pytest.raises(StackError, match=r"PostgreSQL \d+ is too old: 99 or newer"):
        await external_servers.check_postgres(postgres_addresses.postgres, min_major=99)
