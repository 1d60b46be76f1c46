"""Run inside one service's own environment: `python -I probe.py community identity metrics …`.

Imports every module of the service and of `shared`, and checks that no other service is installed.
"""

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points


def modules_of(package: str) -> Iterator[str]:
    """Yield the name of a package and of all its modules."""
    root = importlib.import_module(package)
    yield package
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        yield module.name


def main(service: str, *others: str) -> None:
    """Exit with an error for a module that is missing, or a service that must not be here."""
    for package in ("shared", f"services.{service}"):
        for name in modules_of(package):
            if not name.endswith(".__main__") and ".migrations" not in name:
                importlib.import_module(name)
    for other in others:
        if importlib.util.find_spec(f"services.{other}"):
            sys.exit(f"services.{other} can be imported where only {service} was installed")
    for command in entry_points(group="preau.commands"):
        command.load()


if __name__ == "__main__":
    main(*sys.argv[1:])
