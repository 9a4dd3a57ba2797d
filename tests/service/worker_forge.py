"""Makes worker processes quickly: loads everything once and forks on request.

Reads one JSON object a line from standard input and answers with one number a line:
{"start": {environment}, "control": folder, "log": file} -> process id; {"wait": process id} -> exit code.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from fast_processing import FastProcessing

from nullsplat.service.settings import Settings
from nullsplat.service.worker import run_worker


def serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        print(_wait(order["wait"]) if "wait" in order else _start(order), flush=True)  # noqa: T201 - the answer


def _start(order: dict[str, Any]) -> int:
    pid = os.fork()
    if not pid:
        _become_worker(order)
    return pid


def _become_worker(order: dict[str, Any]) -> NoReturn:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(log, standard)
    os.environ.update(order["start"])
    try:
        run_worker(Settings(), FastProcessing(Path(order["control"])))
    except BaseException as error:  # noqa: BLE001 - a forked child must not fall back into the loop above
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(3)
    os._exit(0)


def _wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    serve()
