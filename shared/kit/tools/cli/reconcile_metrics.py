"""Metrics of a reconciliation: loss, duplicates, lag and violations.

A reconciliation is started by a clock outside of the services, with credentials that none of them
has, and then ends. So it pushes to a collector once, or writes a file for a node exporter.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from opentelemetry.sdk.resources import Resource

from shared.kit.telemetry.metric_store import MetricStore
from shared.kit.telemetry.otel import ENDPOINT_VARIABLE, EXPORT_TIMEOUT_SECONDS
from shared.kit.telemetry.otlp_push import push_once
from shared.kit.telemetry.prometheus import render_metrics
from shared.kit.tools.reconcile.report import INVARIANTS, Report

COMPONENT = "reconcile"


@dataclass
class ReconcileMetrics:
    """The metrics of one reconciliation report."""

    metric_store: MetricStore

    @classmethod
    def from_report(cls, report: Report, at: datetime) -> "ReconcileMetrics":
        """Convert a report; an invariant that was not checked gets no metric."""
        measures = MetricStore(COMPONENT)

        def set_gauge(name: str, value: float, **labels: str) -> None:
            measures.gauge(name, value, labels)

        for group, number in report.missing.items():
            set_gauge("preau.reconcile.missing", number, group=group)
        for group, number in report.lag.items():
            set_gauge("preau.reconcile.lag", number, group=group)
        for group, number in report.different.items():
            set_gauge("preau.reconcile.different", number, group=group)
        checked = {invariant for invariant, _, _ in report.looked} | set(report.counted)
        for invariant in INVARIANTS:
            if invariant in checked:
                number = report.counted[invariant]
                set_gauge("preau.reconcile.violations", number, invariant=invariant)
        set_gauge("preau.reconcile.repeated", report.repeated)
        set_gauge("preau.reconcile.finished", at.timestamp())
        return cls(measures)

    def push(self, environment: Mapping[str, str]) -> bool:
        """Push to the collector that the environment names; False if the push failed."""
        endpoint = environment[ENDPOINT_VARIABLE].rstrip("/")
        resource = Resource({"service.name": f"preau-{COMPONENT}"})
        return push_once(
            self.metric_store, resource, f"{endpoint}/v1/metrics", EXPORT_TIMEOUT_SECONDS
        )

    def write(self, path: Path) -> None:
        """Write Prometheus' text format; readers see the old file or the complete new one."""
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_bytes(render_metrics([self])[0])
        partial.replace(path)
