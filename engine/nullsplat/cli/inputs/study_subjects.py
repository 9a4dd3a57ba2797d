"""The volumes that a study is about, as its command line names them."""

import re
from dataclasses import dataclass
from pathlib import Path

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.suggestion import did_you_mean
from nullsplat.evaluation.data.public_data import PUBLIC, PublicFile, cache_folder
from nullsplat.evaluation.data.subject import (
    Size3,
    Subject,
    check_names,
    cropped,
    public_subjects,
    read_subject,
)


@dataclass(frozen=True)
class Subjects:
    """Which volumes.

    Attributes:
        volumes: files and DICOM folders.
        public: whether public CTs are among them.
        crop: as in `--crop`, or None for whole volumes.
        wanted: which public ones.
        only: names of those that are taken, None for all.
    """

    volumes: tuple[Path, ...]
    public: bool
    crop: str | None
    wanted: tuple[PublicFile, ...] = PUBLIC
    only: tuple[str, ...] | None = None

    def read(self) -> list[Subject]:
        """All of them.

        Raises:
            InputError: there is none, or one cannot be used.
        """
        size = None if self.crop is None else parse_crop(self.crop)
        if not self.volumes and not self.public:
            raise ConfigurationError(
                "nothing to evaluate on; name volumes, or take the public ones by --public"
            )
        subjects = [read_subject(path) for path in self.volumes]
        if self.public:
            subjects += public_subjects(cache_folder(), self.wanted)
        check_names(subjects)
        if self.only is not None:
            subjects = _named(subjects, self.only)
        return subjects if size is None else [cropped(subject, size) for subject in subjects]


def _named(subjects: list[Subject], names: tuple[str, ...]) -> list[Subject]:
    unknown = [name for name in names if name not in {subject.name for subject in subjects}]
    if unknown or not names:
        there = ", ".join(subject.name for subject in subjects)
        raise ConfigurationError(
            f"--only must name some of the volumes {there}, got {', '.join(names) or 'none'}"
            + did_you_mean("".join(unknown[:1]), (subject.name for subject in subjects))
        )
    return [subject for subject in subjects if subject.name in names]


def parse_crop(text: str) -> Size3:
    """`Z,Y,X` as voxels.

    Raises:
        ConfigurationError: not three whole numbers above 0.
    """
    match = re.fullmatch(r"([1-9]\d*),([1-9]\d*),([1-9]\d*)", text.replace(" ", ""))
    if match is None:
        raise ConfigurationError(f"--crop must be three numbers of voxels, such as 64,128,128, got {text!r}")
    return int(match[1]), int(match[2]), int(match[3])
