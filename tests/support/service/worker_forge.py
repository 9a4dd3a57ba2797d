"""Makes worker processes quickly: loads everything once and forks on request.

Reads one JSON object a line from standard input and answers with one number a line:
{"start": {environment}, "control": folder, "log": file, "patch": {name: value}} -> process id;
{"wait": process id} -> exit code. What a worker cannot know here (a GPU, another machine) is patched: `name` is a
constant, or a function that is to return `value`. A worker that restarts itself ends with `RESTART` instead.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from tests.support.service.fast_processing import FastProcessing

from nullsplat.service.settings import Settings
from nullsplat.service.worker.process import run_worker

RESTART = 75


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
        for name, value in order.get("patch", {}).items():
            _patch(name, value)
        run_worker(Settings(), FastProcessing(Path(order["control"])), lambda: os._exit(RESTART))
    except BaseException as error:  # noqa: BLE001 - a forked child must not fall back into the loop above
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(3)
    os._exit(0)


def _patch(name: str, value: Any) -> None:
    module, _, attribute = name.rpartition(".")
    owner = importlib.import_module(module)
    replaced = (lambda *_arguments: value) if callable(getattr(owner, attribute)) else value
    setattr(owner, attribute, replaced)


def _wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    serve()
