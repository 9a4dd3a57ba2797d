"""How often intervals hold, as a table: by degradation and tissue."""

from collections.abc import Mapping, Sequence

import numpy as np

from nullsplat.evaluation.studies.calibration import Levels, Observed, held, width_hu
from nullsplat.prior.calibration import BANDS_HU, GROUPS, UNSEEN

_COLUMNS: dict[str, tuple[str, ...]] = {
    "all": GROUPS,
    "flat": tuple(group for group in GROUPS if group.endswith("flat")),
    "edges": tuple(group for group in GROUPS if group.endswith("edge")),
    **{band: tuple(group for group in GROUPS if group.startswith(band)) for band in BANDS_HU},
    UNSEEN: (UNSEEN,),
}


def table(observed: Sequence[Observed], levels: Mapping[str, Levels]) -> str:
    """Held shares and mean half widths, means over volumes: one line for each degradation.

    Args:
        observed: at least one.
        levels: the factors that each volume is held to, by its name.
    """
    protocols = list(dict.fromkeys(one.protocol for one in observed))
    head = f"| | {' | '.join(_COLUMNS)} |\n|---|{'---:|' * len(_COLUMNS)}"
    lines = [_line(how, [one for one in observed if one.protocol == how], levels) for how in protocols]
    return "\n".join([head, *lines])


def _line(how: str, observed: Sequence[Observed], levels: Mapping[str, Levels]) -> str:
    return f"| {how} | {' | '.join(_cell(observed, levels, groups) for groups in _COLUMNS.values())} |"


def _cell(observed: Sequence[Observed], levels: Mapping[str, Levels], groups: Sequence[str]) -> str:
    found = [(one, one.factors(levels[one.volume])) for one in observed]
    shown = [(share, width_hu(one, factors, groups)) for one, factors in found
             if (share := held(one, factors, groups)) is not None]  # fmt: skip
    if not shown:
        return ""
    share, width = np.mean(shown, axis=0)
    return f"{share:.1%}, ±{width:.0f} HU"
