"""The volumes that a study is about, as its command line names them."""

import re
from dataclasses import dataclass
from pathlib import Path

from nullsplat.core.errors import ConfigurationError
from nullsplat.evaluation.data.public_data import CHEST, PublicFile, cache_folder
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
    """

    volumes: tuple[Path, ...]
    public: bool
    crop: str | None
    wanted: tuple[PublicFile, ...] = (CHEST,)

    def read(self) -> list[Subject]:
        """All of them.

        Raises:
            InputError: there is none, or one cannot be used.
        """
        if not self.volumes and not self.public:
            raise ConfigurationError(
                "nothing to evaluate on; name volumes, or take the public one by --public"
            )
        subjects = [read_subject(path) for path in self.volumes]
        if self.public:
            subjects += public_subjects(cache_folder(), self.wanted)
        check_names(subjects)
        if self.crop is None:
            return subjects
        return [cropped(subject, parse_crop(self.crop)) for subject in subjects]


def parse_crop(text: str) -> Size3:
    """`Z,Y,X` as voxels.

    Raises:
        ConfigurationError: not three whole numbers above 0.
    """
    match = re.fullmatch(r"([1-9]\d*),([1-9]\d*),([1-9]\d*)", text.replace(" ", ""))
    if match is None:
        raise ConfigurationError(f"--crop must be three numbers of voxels, such as 64,128,128, got {text!r}")
    return int(match[1]), int(match[2]), int(match[3])
