"""Fork server: one process that has imported every service and forks pods.

Importing costs a second of a core; seven pods that are restarted often would do little else.
A forked pod has its own environment, standard input, log and process id.
`python -m tests.chaos.fork_server` reads requests, one JSON object a line, from its standard
input and writes starts and exits to its standard output. It ends with its input, and the pods too.
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
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    _send_event(ready=len(SERVICES))
    incomplete = b""
    while True:
        for key, _ in selector.select():
            if key.data is not None:
                _report_exit(selector, key.fd, key.data)
                continue
            read = os.read(0, 65_536)
            if not read:
                return
            *requests, incomplete = (incomplete + read).split(b"\n")
            for request in requests:
                _fork_pod(selector, json.loads(request))


def _fork_pod(selector: selectors.BaseSelector, order: dict[str, Any]) -> None:
    pid = os.fork()
    if pid == 0:
        _run_pod(order)
    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
    _send_event(born=order["name"], pid=pid)


def _report_exit(selector: selectors.BaseSelector, descriptor: int, pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    selector.unregister(descriptor)
    os.close(descriptor)
    _send_event(died=pid, status=os.waitstatus_to_exitcode(status))


def _run_pod(order: dict[str, Any]) -> NoReturn:
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
    except SystemExit as exit_error:
        status = (
            exit_error.code
            if isinstance(exit_error.code, int)
            else int(exit_error.code is not None)
        )
    except BaseException:  # noqa: BLE001  any error goes to the log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _send_event(**event: object) -> None:
    os.write(1, json.dumps(event).encode() + b"\n")


if __name__ == "__main__":
    main()
