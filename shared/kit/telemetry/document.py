"""Generates `docs/telemetry.md` from the metric catalogue."""

from shared.kit.telemetry.metric_catalogue import METRICS, SERVICE_LABEL, Metric

_HEAD = f"""# Metrics

Generated from `shared/kit/telemetry/metric_catalogue.py` by `make events`. The list is closed: a
metric that is not in it cannot be recorded. `/<service>/metrics` on the inner port shows them in
Prometheus’ format, under the second name (counters end in `_total`, histograms in `_bucket`,
`_count` and `_sum`, dots of labels become `_`); a collector receives them under the first. Every
series has the label `{SERVICE_LABEL}` beside its own; no label contains a person or a tenant.

| metric | Prometheus | kind | unit | labels | meaning |
|---|---|---|---|---|---|
"""


def render_metric_document() -> str:
    """Return the document as Markdown."""
    return _HEAD + "\n".join(map(_row, METRICS.values())) + "\n"


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
    ending = "_total" if metric.kind == "counter" else ""
    name = f"`{metric.name}` | `{metric.prometheus}{ending}`"
    return f"| {name} | {metric.kind} | {metric.unit} | {labels} | {metric.meaning} |"
