"""Where a field lies and how its densities are meant, as JSON in the header of its file."""

import json
from typing import Any

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.volume import Geometry
from nullsplat.splat.field.activation import Activation, activation

FORMAT = "nullsplat-signed-gaussians-2"


def describe(grid: Geometry, chosen: Activation, slope: float) -> str:
    """One line of JSON.

    `centre` says where the Gaussians' frame has its origin (LPS, mm); it follows from the grid and is there for
    other programs.
    """
    return json.dumps(
        {
            "format": FORMAT,
            "activation": chosen.name,
            "slope": slope,
            "grid": grid.to_dict(),
            "centre": list(grid.centre),
        }
    )


def understand(text: str | None, where: str) -> tuple[Geometry, Activation, float]:
    """What `describe` wrote: grid, activation and slope.

    Args:
        text: the line, or None where the file has none.
        where: name of the file, for errors.
    Raises:
        UnreadableFile: it is missing, of another format or damaged.
        ConfigurationError: an activation that this version does not know.
        GeometryError: the grid is none.
    """
    if text is None:
        raise UnreadableFile(
            f"{where} must say where its field lies, in a header that only NullSplat writes and other programs "
            "drop when they save it again; export the field again"
        )
    try:
        content: dict[str, Any] = json.loads(text)
        if content["format"] != FORMAT:
            raise UnreadableFile(f"{where} must hold {FORMAT}, its header says {content['format']}")
        return Geometry.from_dict(content["grid"]), activation(content["activation"]), float(content["slope"])
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(f"{where} has a damaged header: {error!r}; export the field again") from error
