"""The engine's worker with the tests' fast processing: `python worker.py CONTROL_FOLDER SECONDS_PER_STAGE`."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # it is started by its path

import typer
from tests.support.service.fast_processing import FastProcessing

from nullsplat.cli.failures import readable_failures
from nullsplat.core.progress import Progress
from nullsplat.service.processing.protocol import Parameters, Source
from nullsplat.service.settings import Settings
from nullsplat.service.worker.process import run_worker

TICK = 0.1


class UnhurriedProcessing(FastProcessing):
    """Takes a while for each stage, so that a kill at random hits every stage now and then."""

    def __init__(self, control: Path, seconds: float) -> None:
        super().__init__(control)
        self._seconds = seconds

    def run(self, stage: str, work: Path, parameters: Parameters, source: Source, progress: Progress) -> None:
        """Wait, then do the stage."""
        until = time.monotonic() + self._seconds
        while (left := until - time.monotonic()) > 0:
            progress(0.5 * (1 - left / self._seconds), "waiting")
            time.sleep(min(TICK, left))
        super().run(stage, work, parameters, source, progress)


def main(control: Path, seconds: float) -> None:
    """Run as `nullsplat worker` does, in words where that ends in words."""
    with readable_failures(debug=False):
        run_worker(Settings(), UnhurriedProcessing(control, seconds))


if __name__ == "__main__":
    typer.run(main)
