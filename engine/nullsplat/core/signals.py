"""Termination signals as exceptions, so that `with` and `finally` clean up before the process ends."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """The process was told to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def orderly_ending() -> Iterator[None]:
    """Raise `Stopped` in the main thread when the process is told to end; elsewhere than there, change nothing.

    A signal that the process was started to ignore, as by nohup, stays ignored, except SIGINT: a shell starts its
    background jobs with that one ignored. The first signal counts; repetitions must not interrupt the cleaning up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {number: signal.getsignal(number) for number in ENDING}
    taken = [n for n, handler in before.items() if handler != signal.SIG_IGN or n == signal.SIGINT]

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise Stopped(number)

    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


def end_by(number: int) -> NoReturn:
    """End this process as the signal would have ended it, so that whoever started it sees why it ended."""
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    raise SystemExit(128 + number)  # a signal that is blocked
