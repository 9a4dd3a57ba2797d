"""How often intervals hold, as a table: by degradation and tissue."""

from collections.abc import Mapping, Sequence

import numpy as np

from nullsplat.evaluation.studies.calibration import Observed, held, width_hu
from nullsplat.prior.calibration import BANDS_HU, GROUPS, UNSEEN

_COLUMNS: dict[str, tuple[str, ...]] = {
    "all": GROUPS,
    "flat": tuple(group for group in GROUPS if group.endswith("flat")),
    "edges": tuple(group for group in GROUPS if group.endswith("edge")),
    **{band: tuple(group for group in GROUPS if group.startswith(band)) for band in BANDS_HU},
    UNSEEN: (UNSEEN,),
}


def table(observed: Sequence[Observed], factors: Mapping[str, float]) -> str:
    """Held shares and mean half widths, means over volumes: one line for each degradation.

    Args:
        observed: at least one.
        factors: of a calibration.
    """
    protocols = list(dict.fromkeys(one.protocol for one in observed))
    head = f"| | {' | '.join(_COLUMNS)} |\n|---|{'---:|' * len(_COLUMNS)}"
    lines = [_line(how, [one for one in observed if one.protocol == how], factors) for how in protocols]
    return "\n".join([head, *lines])


def _line(how: str, observed: Sequence[Observed], factors: Mapping[str, float]) -> str:
    return f"| {how} | {' | '.join(_cell(observed, factors, groups) for groups in _COLUMNS.values())} |"


def _cell(observed: Sequence[Observed], factors: Mapping[str, float], groups: Sequence[str]) -> str:
    shown = [(share, one) for one in observed if (share := held(one, factors, groups)) is not None]
    if not shown:
        return ""
    share = float(np.mean([share for share, _ in shown]))
    width = float(np.mean([width_hu(one, factors, groups) for _, one in shown]))
    return f"{share:.1%}, ±{width:.0f} HU"
