"""Files beside a prior's weights that say something of just these weights."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from nullsplat.core.errors import WeightsError
from nullsplat.prior import weights

Content = TypeVar("Content")


@dataclass(frozen=True)
class Companion:
    """A JSON file in a prior's folder; it states the checksum of the weights that it belongs to as `model_sha256`.

    Attributes:
        file: its name.
        holds: what it must state, in words.
        command: that makes one.
    """

    file: str
    holds: str
    command: str

    def of(self, prior: str, read: Callable[[dict[str, Any]], Content]) -> Content | None:
        """What the file says; None where there is none.

        Args:
            prior: a packaged name or a folder, see `weights.locate`.
            read: takes its content; what it raises for content that it cannot use becomes a WeightsError.

        Raises:
            WeightsError: there is no such prior, or the file is damaged or belongs to other weights.
        """
        if prior == weights.NONE or not (path := weights.locate(prior) / self.file).exists():
            return None
        advice = f"make it anew with `nullsplat {self.command}`, or delete it"
        try:
            content = json.loads(path.read_text())
            found, made_for = read(content), content["model_sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{path} must state {self.holds}, it does not ({error!r}); {advice}"
            ) from error
        if made_for != weights.prior_hash(prior):
            raise WeightsError(f"{path} is for the weights {made_for[:12]}, the prior has others; {advice}")
        return found

    def hash(self, prior: str) -> str:
        """SHA-256 of the file, 64 hexadecimal digits; zeros where there is none.

        Raises:
            WeightsError: there is no such prior.
        """
        if prior == weights.NONE or not (path := weights.locate(prior) / self.file).exists():
            return "0" * 64
        return weights.checksum(path)
