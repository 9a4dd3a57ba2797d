"""Pairs made in a process of their own while another trains, ahead of it by as many as the disk is to hold."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from nullsplat.core.errors import InputError
from nullsplat.core.seeds import numpy_generator
from nullsplat.core.volume import Volume
from nullsplat.prior import weights
from nullsplat.prior.block.pairs import make_pair, refined_once
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.block.pool import LOST, PairPool, pair_folder
from nullsplat.prior.block.store import save_pair

SMALLEST = (24, 96, 96)
"""Voxels along (z, y, x) that a volume must have to learn from."""

Read = Callable[[Path], Volume]
"""Reads a truth in HU; must be importable, because the makers of pairs are processes of their own."""

_AHEAD = 8


@dataclass(frozen=True)
class Source:
    """The truths of one side of the validation split.

    Attributes:
        paths: of the volumes, which take turns.
        read: reads one.
        seed: of everything random; what a pair is made of depends on it, on the pair's number and on `initial`.
        prior: folder of the prior that is being trained; once it is there, it refines each new pair that has a
            second round, as far as it has been trained.
        initial: folder of the prior that training goes on from; until then it refines them. It has seen the pairs that
            the seed alone would give, so that others are made.
    """

    paths: tuple[Path, ...]
    read: Read
    seed: int = 0
    prior: Path | None = None
    initial: Path | None = None

    def make(self, folder: Path, number: int) -> None:
        """Make one pair, unless it is there.

        Raises:
            InputError: the volume is too small.
            StorageError: the disk is full.
            WeightsError: a prior that is to refine it is damaged.
        """
        target = pair_folder(folder, number)
        if target.exists():
            return
        volume = self.read(self.paths[number % len(self.paths)])
        check_size(volume)
        folder.mkdir(parents=True, exist_ok=True)
        seen = () if self.initial is None else (weights.model_hash(self.initial),)
        generator = numpy_generator(self.seed, folder.name, "pair", number, *seen)
        pair = make_pair(volume, generator)
        prior = self._trained()
        if not pair.thick and prior is not None:
            pair = refined_once(pair, BlockPipeline(*weights.load(prior)))
        save_pair(pair, target)

    def _trained(self) -> Path | None:
        if self.prior is not None and (self.prior / weights.MANIFEST).exists():
            return self.prior
        return self.initial


def check_size(volume: Volume) -> None:
    """Refuse a volume that is too small to learn from.

    Raises:
        InputError: it is.
    """
    shape = volume.geometry.shape
    if any(n < least for n, least in zip(shape, SMALLEST, strict=True)):
        raise InputError(
            f"a CT to learn slabs from needs at least {SMALLEST} voxels, got {shape}; leave it out"
        )


@contextmanager
def pairs_ahead(source: Source, pool: PairPool, step: int, processes: int = 1) -> Iterator[None]:
    """Meanwhile, pairs are made ahead of the training, whose step it was at the start.

    Args:
        source: the truths.
        pool: where pairs are drawn from.
        step: that training goes on from.
        processes: that make pairs.
    """
    context = multiprocessing.get_context("spawn")
    first = pool.first(step)
    shares = [range(first + i, 2**31, processes) for i in range(processes)]
    makers = [
        context.Process(target=_make, args=(source, pool, share, os.getpid()), daemon=True)
        for share in shares
    ]
    pool.folder.mkdir(parents=True, exist_ok=True)
    (pool.folder / LOST).unlink(missing_ok=True)
    stopped = threading.Event()
    for maker in makers:
        maker.start()
    threading.Thread(target=_watch, args=(makers, pool.folder / LOST, stopped), daemon=True).start()
    try:
        yield
    finally:
        stopped.set()
        for maker in makers:
            maker.terminate()
            maker.join()


def _watch(makers: Sequence[BaseProcess], lost: Path, stopped: threading.Event) -> None:
    """Say so at once when a maker ends by itself, so that nobody waits for its pairs."""
    ended = connection.wait([maker.sentinel for maker in makers])
    if not stopped.is_set():
        maker = next(maker for maker in makers if maker.sentinel in ended)
        maker.join()
        lost.write_text(
            f"the process that makes pairs ended with exit code {maker.exitcode} (its own message, if "
            "any, is above; -9 means that the system killed it, mostly for want of memory); start the same command again"
        )


def _make(source: Source, pool: PairPool, numbers: Sequence[int], parent: int) -> None:
    os.nice(5)
    for number in numbers:
        while not _has_room(pool, number):
            if os.getppid() != parent:
                raise SystemExit
            time.sleep(0.5)
        source.make(pool.folder, number)


def _has_room(pool: PairPool, number: int) -> bool:
    """Gaps are always filled; what lies beyond the last pair waits until old ones are gone."""
    there = [int(path.name) for path in pool.folder.glob("*[0-9]")]
    return len(there) < pool.window + _AHEAD or number < max(there)
