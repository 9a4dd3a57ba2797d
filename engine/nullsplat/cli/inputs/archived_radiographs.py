"""Radiographs of the operator's own archive for `nullsplat train-prior`: fetching, summary, the card's line."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from nullsplat.cli.archive_options import PASSWORD, ArchiveRequest
from nullsplat.core.console import StageDisplay
from nullsplat.core.errors import ConfigurationError, InputError
from nullsplat.dicomweb.access import Access, SettingNames, archive_root
from nullsplat.dicomweb.radiograph_download import Wanted, gather
from nullsplat.prior.xray.data import ProjectedVolume, Radiograph
from nullsplat.prior.xray.radiograph_cache import RadiographCache
from nullsplat.prior.xray.radiograph_files import MODALITIES

FOLDER = "archive"
TIMEOUT = 60.0
_CREDENTIALS = f"--archive-user and {PASSWORD} (or --archive-password-file)"
_NAMES = SettingNames("--from-archive", _CREDENTIALS, "--ca-file", "search and retrieve")


@dataclass(frozen=True)
class ArchivedRadiographs:
    """What an archive gave.

    Attributes:
        radiographs: at most 1024 pixels along the longer side; patients are salted hashes.
        source: the line for the model card, which names neither host nor patient.
        cache: where the images are kept.
    """

    radiographs: tuple[Radiograph, ...]
    source: str
    cache: RadiographCache

    def with_radiographs(self, others: Sequence[Radiograph]) -> list[Radiograph]:
        """These and radiographs of other sources, whose patients are recognised if they are the same."""
        return [
            *self.radiographs,
            *(replace(one, patient=self.cache.key(one.patient.strip())) for one in others),
        ]

    def same_patients(self, volumes: Sequence[ProjectedVolume]) -> list[ProjectedVolume]:
        """CT volumes whose patients are recognised if they are also in the archive."""
        return [replace(one, patient=self.cache.key(one.patient.strip())) for one in volumes]


def fetch(request: ArchiveRequest, out: Path, console: Console, display: StageDisplay) -> ArchivedRadiographs:
    """Bring the radiographs into a cache below `out`, say how many there are, and read them.

    Raises:
        ConfigurationError: an option cannot be used.
        InputError: the archive holds no radiograph that can be used.
        ArchiveError: the archive refuses or stays unreachable.
        StorageError: the cache cannot be written.
    """
    access, wanted = _access(request), _wanted(request)
    cache = RadiographCache(out / FOLDER)

    gathered = gather(access, wanted, cache, partial(display, "archive"))
    if not gathered.images:
        raise InputError(_nothing(request, gathered.left_out))
    radiographs = tuple(cache.read(gathered.images))
    count = f"{len(radiographs)} images of {len({one.patient for one in radiographs})} patients"
    console.print(f"archive: {count}; left out: {_counted(gathered.left_out) or 'none'}", markup=False)
    return ArchivedRadiographs(radiographs, f"radiographs of the operator's own archive: {count}", cache)


def _access(request: ArchiveRequest) -> Access:
    try:
        url = archive_root(request.url, _CREDENTIALS)
    except ValueError as error:
        raise ConfigurationError(f"--from-archive {error}") from None
    return Access(url, _NAMES, request.credentials(), request.ca_file, TIMEOUT)


def _wanted(request: ArchiveRequest) -> Wanted:
    if not request.modalities or not MODALITIES.issuperset(request.modalities):
        known = ", ".join(sorted(MODALITIES))
        raise ConfigurationError(
            f"--modality must name some of {known}, got {', '.join(request.modalities) or 'none'}"
        )
    return Wanted(request.modalities, request.limit, request.per_patient)


def _counted(left_out: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))


def _nothing(request: ArchiveRequest, left_out: Counter[str]) -> str:
    wanted = f"training needs radiographs ({', '.join(request.modalities)}) that can be used, the archive"
    if not left_out:
        return f"{wanted} lists none to this user; is --from-archive the right archive, may the user see its studies?"
    return (
        f"{wanted} holds none among the first {request.limit} studies (left out: {_counted(left_out)}); "
        "raise --archive-limit or change --modality"
    )
