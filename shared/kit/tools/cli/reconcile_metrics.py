"""What a reconciliation publishes: loss, duplicates, lag and broken promises, as metrics.

It runs by a clock outside of the services, with credentials that none of them has, and ends: so it
tells a collector once, or leaves a file that a node's exporter reads.
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
    """The numbers of one report."""

    metric_store: MetricStore

    @classmethod
    def from_report(cls, report: Report, at: datetime) -> "ReconcileMetrics":
        """Take them from a report; of what was not looked at there is none."""
        measures = MetricStore(COMPONENT)

        def tell(name: str, value: float, **labels: str) -> None:
            measures.gauge(name, value, labels)

        for group, number in report.missing.items():
            tell("preau.reconcile.missing", number, group=group)
        for group, number in report.lag.items():
            tell("preau.reconcile.lag", number, group=group)
        for group, number in report.different.items():
            tell("preau.reconcile.different", number, group=group)
        looked = {invariant for invariant, _, _ in report.looked} | set(report.counted)
        for invariant in INVARIANTS:
            if invariant in looked:
                number = report.counted[invariant]
                tell("preau.reconcile.violations", number, invariant=invariant)
        tell("preau.reconcile.repeated", report.repeated)
        tell("preau.reconcile.finished", at.timestamp())
        return cls(measures)

    def push(self, environment: Mapping[str, str]) -> bool:
        """Tell the collector that the environment names; False when it took nothing."""
        endpoint = environment[ENDPOINT_VARIABLE].rstrip("/")
        resource = Resource({"service.name": f"preau-{COMPONENT}"})
        return push_once(
            self.metric_store, resource, f"{endpoint}/v1/metrics", EXPORT_TIMEOUT_SECONDS
        )

    def write(self, path: Path) -> None:
        """Leave them in Prometheus' text format; whoever reads meanwhile sees all or the old."""
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_bytes(render_metrics([self])[0])
        partial.replace(path)
