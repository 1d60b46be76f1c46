"""The database of an assembled service: its metrics and its load limits."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from services.community.settings import CommunitySettings
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.host import Host
from shared.kit.core.settings import SettingError
from shared.kit.runtime.assembly import open_database
from tests.kit.conftest import Frame
from tests.support.recorded_spans import record_telemetry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def environment(frame: Frame, **more: str) -> dict[str, str]:
    return {
        "COMMUNITY_DATABASE_URL": frame.url("app"),
        "COMMUNITY_RELAY_URL": frame.url("relay"),
        "PREAU_JWKS_URL": "http://127.0.0.1:1/",
        **more,
    }


async def test_database_reports_statements_and_pool_waits(frame: Frame) -> None:
    recorder, settings = record_telemetry(), CommunitySettings.from_environment(environment(frame))
    host = Host(MemoryBus(), lambda: datetime.now(UTC), uuid7, recorder.telemetry, {})
    database = open_database("community", host, settings)
    try:
        with recorder.telemetry.span("essai", "internal"):
            await database.execute_once(sa.text("SELECT count(*) FROM outbox"))
    finally:
        await database.stop()

    assert "SELECT outbox" in recorder.names
    assert (
        'db_client_operation_duration_seconds_count{db_operation_name="SELECT"'
        in recorder.metrics_page
    )
    pool = 'db_client_connection_pool_name="preau-community"'
    assert f"db_client_connection_wait_time_seconds_count{{{pool}" in recorder.metrics_page


def test_load_limits_are_set_for_all_services_or_one(frame: Frame) -> None:
    variables = environment(frame, PREAU_SHED_OUTBOX_AGE="5", COMMUNITY_SHED_WRITES="3")
    limits = CommunitySettings.from_environment(variables).load_limits()

    assert (limits.max_outbox_age_seconds, limits.max_concurrent_writes, limits.max_queue) == (
        5.0,
        3,
        200,
    )


def test_invalid_limit_is_named_in_the_setting_error(frame: Frame) -> None:
    with pytest.raises(SettingError, match=r"COMMUNITY_SHED_WAIT .*seconds"):
        CommunitySettings.from_environment(environment(frame, COMMUNITY_SHED_WAIT="0"))
