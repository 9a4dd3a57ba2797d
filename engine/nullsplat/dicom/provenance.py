"""What made a derived series."""

from dataclasses import dataclass
from datetime import datetime

from nullsplat.core.volume import Axes3


@dataclass(frozen=True)
class Provenance:
    """Everything about a run that goes into the objects it writes.

    Attributes:
        fingerprint: of the source series, see `reading.fingerprint`.
        model_hash: SHA-256 of the prior's weights.
        config_hash: SHA-256 of the pipeline's configuration.
        attempt: 1 for the first run, one more each time that a person asks again.
        scale: factors along (z, y, x).
        preset: name of the preset.
        seed: seed of the run.
        samples: how many samples were averaged.
        steps: evaluations of the network per sample.
        lr_consistency_rmse_hu: difference of the degraded result and the source, in HU.
        created: when the result was made, in the node's local time; the only clock that the writer knows.
        software_version: of NullSplat.
    """

    fingerprint: str
    model_hash: str
    config_hash: str
    attempt: int
    scale: Axes3
    preset: str
    seed: int
    samples: int
    steps: int
    lr_consistency_rmse_hu: float
    created: datetime
    software_version: str
