"""Writes `docs/telemetry.md` from the closed list of metrics."""

from shared.kit.telemetry.names import METRICS


def render() -> str:
    """Give the document as Markdown."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {metric.unit} | {', '.join(metric.labels)} "
        f"| {metric.meaning} |"
        for metric in METRICS.values()
    ]
    head = (
        "# Metrics\n\nGenerated from `shared/kit/telemetry/names.py` by `make events`. "
        "`/<service>/metrics` shows them in Prometheus' format, dots written as `_`.\n\n"
        "| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"
