"""Where pods are born: one process that has imported everything, and forks.

Importing takes a pod a second of a core; seven pods that die and come back would do little else.
What is born is a process like any other, with its own environment, input, log and identity.
`python -m tests.chaos.fork_server` takes orders, one JSON object a line, on its standard input
and tells of births and deaths on its standard output. It ends with its input, and all with it.
"""

import json
import os
import random
import selectors
import sys
import traceback
from typing import Any, NoReturn

import services.community.main
import services.identity.main
import services.metrics.main
import services.moderation.main
import services.notifications.main
from tests.chaos import pod_main as pod

SERVICES = (
    services.community.main,
    services.identity.main,
    services.metrics.main,
    services.moderation.main,
    services.notifications.main,
)


def main() -> None:
    """Return birth and report deaths until the input ends."""
    watch = selectors.DefaultSelector()
    watch.register(0, selectors.EVENT_READ)
    _tell(ready=len(SERVICES))
    waiting = b""
    while True:
        for key, _ in watch.select():
            if key.data is not None:
                _bury(watch, key.fd, key.data)
                continue
            read = os.read(0, 65_536)
            if not read:
                return
            *orders, waiting = (waiting + read).split(b"\n")
            for order in orders:
                _bear(watch, json.loads(order))


def _bear(watch: selectors.BaseSelector, order: dict[str, Any]) -> None:
    pid = os.fork()
    if pid == 0:
        _live(order)
    watch.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
    _tell(born=order["name"], pid=pid)


def _bury(watch: selectors.BaseSelector, descriptor: int, pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    watch.unregister(descriptor)
    os.close(descriptor)
    _tell(died=pid, status=os.waitstatus_to_exitcode(status))


def _live(order: dict[str, Any]) -> NoReturn:
    """Become a pod; never returns."""
    status = 1
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        control = os.open(order["control"], os.O_RDONLY)
        for source, target in ((control, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.closerange(3, 256)
        sys.stdin = os.fdopen(0, encoding="utf-8")
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.argv = ["pod", *order["arguments"]]
        random.seed()
        pod.start()
        status = 0
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001  whatever it is, it goes to the log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _tell(**news: object) -> None:
    os.write(1, json.dumps(news).encode() + b"\n")


if __name__ == "__main__":
    main()
