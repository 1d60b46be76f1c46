"""Settings of metrics, read from environment variables."""

from typing import ClassVar

from shared.kit.runtime.settings import Settings


class MetricsSettings(Settings):
    """The settings that every service has."""

    PREFIX: ClassVar[str] = "METRICS_"
