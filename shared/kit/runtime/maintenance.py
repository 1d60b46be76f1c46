"""What the frame does by the clock in every worker: retries, the days of the inbox, figures."""

import asyncio
from datetime import timedelta

from sqlalchemy import text

from shared.kit.core.errors import NotFound, Transient
from shared.kit.core.host import Host
from shared.kit.inbox import report
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.retry import ParkedEventRetrier
from shared.kit.runtime.audit_heads import AuditHeadsPublisher
from shared.kit.runtime.service import Job, Service
from shared.kit.telemetry.logs import get_logger

log = get_logger("run")
COUNT_TIMEOUT_SECONDS = 3.0
"""Seconds that counting may take: other jobs wait for it, and a broker may be away."""
WAKE_PARKED_INTERVAL = timedelta(minutes=1)
"""How long a parked key may be forgotten, seldom as that is: looking for them reads all of them."""
MAX_EXPIRED_ROWS_PER_DELETE = 5_000
"""Rows of each table in one transaction."""
_REMOVE_EXPIRED = text("SELECT remove_expired(:at_most)")
AUDIT_HEADS_INTERVAL = timedelta(minutes=1)
_KEEP_INBOX = text("SELECT inbox_keep(CAST(:today AS date), 7, 30)")


def maintenance_jobs(service: Service, host: Host) -> list[Job]:
    """List the frame's own jobs for a service."""
    jobs = [_keep_inbox(service, host), _remove_expired(service), _publish_audit_heads(service)]
    if service.consumer is not None:
        jobs += [*_parked(service.consumer), consumer_metrics_job(service.consumer, host)]
    return jobs


def _parked(consumer: BatchConsumer) -> list[Job]:
    keys = ParkedEventRetrier(consumer)

    async def retry() -> None:
        await keys.retry_due()

    return [
        Job("retry_parked", retry, interval=timedelta(seconds=1)),
        Job("wake_parked", keys.make_forgotten_due, interval=WAKE_PARKED_INTERVAL),
    ]


def consumer_metrics_job(consumer: BatchConsumer, host: Host) -> Job:
    """Return what the group made of its log, and how much of it is left."""

    async def count() -> None:
        try:
            async with asyncio.timeout(COUNT_TIMEOUT_SECONDS):
                found = await report.count_outcomes(consumer, host.bus)
        except (NotFound, Transient, TimeoutError) as error:  # its topics may not be made yet
            log.warning("cannot count", group=consumer.group, error=repr(error))
            return
        told: dict[str, float] = {
            "preau.consumer.lag": found.lag,
            "preau.parked.depth": found.parked,
            "preau.dead_letter.depth": found.dead_lettered - found.skipped,
            "preau.consumer.halted": found.halt.since is not None,
        }
        for name, value in told.items():
            host.telemetry.gauge(name, value, group=consumer.group)

    return Job("measure", count, interval=timedelta(seconds=5))


def _publish_audit_heads(service: Service) -> Job:
    publisher = AuditHeadsPublisher(service.database, service.relay_url, service.audit_signer)

    async def publish_audit_heads() -> None:
        await publisher.publish()

    return Job("publish_audit_heads", publish_audit_heads, interval=AUDIT_HEADS_INTERVAL)


def _keep_inbox(service: Service, host: Host) -> Job:
    async def keep_inbox() -> None:
        await service.database.execute_once(_KEEP_INBOX, today=host.clock().date())

    return Job("keep_inbox", keep_inbox, interval=timedelta(hours=6))


def _remove_expired(service: Service) -> Job:
    async def remove_expired() -> None:
        removed = MAX_EXPIRED_ROWS_PER_DELETE
        while removed >= MAX_EXPIRED_ROWS_PER_DELETE:
            (row,) = await service.database.execute_once(
                _REMOVE_EXPIRED, at_most=MAX_EXPIRED_ROWS_PER_DELETE
            )
            removed = int(row[0])

    return Job("remove_expired", remove_expired, interval=timedelta(minutes=5))
