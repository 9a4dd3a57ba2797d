"""Pairs as a training run makes them, without the disk."""

from collections.abc import Iterator

from nullsplat.core.seeds import numpy_generator
from nullsplat.core.volume import Volume
from nullsplat.prior.slab.pairs import SlabPair, make_pair


def make_pairs(volumes: list[Volume], count: int, seed: int, name: str) -> Iterator[SlabPair]:
    """`count` pairs; volumes take turns."""
    for i in range(count):
        yield make_pair(volumes[i % len(volumes)], numpy_generator(seed, name, "pair", i))
