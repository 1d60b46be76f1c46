"""Metrics' environment variables."""

from typing import ClassVar

from shared.kit.runtime.settings import Settings


class MetricsSettings(Settings):
    """Nothing beside what every service reads."""

    PREFIX: ClassVar[str] = "METRICS_"
