"""Jobs of the kit in every worker: retries, inbox partitions, expiry, audit heads, metrics."""

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
"""Limit of counting events: other jobs wait for it, and the broker may be unavailable."""
WAKE_PARKED_INTERVAL = timedelta(minutes=1)
"""Interval of the search for parked keys without a due time, which reads all parked keys."""
MAX_EXPIRED_ROWS_PER_DELETE = 5_000
"""Limit for each table in one transaction."""
_REMOVE_EXPIRED = text("SELECT remove_expired(:at_most)")
AUDIT_HEADS_INTERVAL = timedelta(minutes=1)
_KEEP_INBOX = text("SELECT inbox_keep(CAST(:today AS date), 7, 30)")


def maintenance_jobs(service: Service, host: Host) -> list[Job]:
    """Return the jobs that every service has, and those of its consumer."""
    jobs = [_keep_inbox(service, host), _remove_expired(service), _publish_audit_heads(service)]
    if service.consumer is not None:
        jobs += [
            *_parked_event_jobs(service.consumer),
            consumer_metrics_job(service.consumer, host),
        ]
    return jobs


def _parked_event_jobs(consumer: BatchConsumer) -> list[Job]:
    retrier = ParkedEventRetrier(consumer)

    async def retry() -> None:
        await retrier.retry_due()

    return [
        Job("retry_parked", retry, interval=timedelta(seconds=1)),
        Job("wake_parked", retrier.make_forgotten_due, interval=WAKE_PARKED_INTERVAL),
    ]


def consumer_metrics_job(consumer: BatchConsumer, host: Host) -> Job:
    """Return the job that reports lag, parked events and dead letters of the group."""

    async def count() -> None:
        try:
            async with asyncio.timeout(COUNT_TIMEOUT_SECONDS):
                counts = await report.count_outcomes(consumer, host.bus)
        except (NotFound, Transient, TimeoutError) as error:  # its topics may not exist yet
            log.warning("cannot count", group=consumer.group, error=repr(error))
            return
        gauges: dict[str, float] = {
            "preau.consumer.lag": counts.lag,
            "preau.parked.depth": counts.parked,
            "preau.dead_letter.depth": counts.dead_lettered - counts.skipped,
            "preau.consumer.halted": counts.circuit.since is not None,
        }
        for name, value in gauges.items():
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
