"""One reader for CT volumes: a folder with a DICOM series, a NIfTI or an NRRD file."""

from dataclasses import replace
from pathlib import Path

from nullsplat.core.errors import ConfigurationError, UnreadableFile
from nullsplat.core.volume import Volume
from nullsplat.dicom.read.series import read_folder
from nullsplat.io.nifti import is_nifti, read_nifti, write_nifti
from nullsplat.io.nrrd import is_nrrd, read_nrrd
from nullsplat.physics.profile import Profile

READABLE = "a folder with a CT series, a NIfTI (.nii, .nii.gz) or an NRRD file (.nrrd)"


def check_readable(path: Path | str, name: str = "the volume") -> Path:
    """Find out before long work whether `read_volume` can take a path.

    Args:
        path: of a folder or file.
        name: what messages call it.
    Raises:
        UnreadableFile: nothing is there, or a file of another kind.
    """
    if not isinstance(path, Path | str):
        raise UnreadableFile(f"{name} must be the path of {READABLE}, got {type(path).__name__}")
    path = Path(path).expanduser()
    if not path.exists():
        raise UnreadableFile(f"{name} must be {READABLE}; {path} does not exist")
    if not (path.is_dir() or is_nifti(path) or is_nrrd(path)):
        raise UnreadableFile(f"{name} must be {READABLE}; {path} is another kind of file")
    return path


def read_volume(
    path: Path | str,
    *,
    slice_thickness: float | None = None,
    slice_profile: str | None = None,
    series: str = "",
    allow_gaps: bool = False,
) -> Volume:
    """Read a CT volume, with what is known of its slices.

    Args:
        path: a folder with a CT series, a NIfTI or an NRRD file.
        slice_thickness: in mm, of a file, which does not tell it; slices else count as thick as they are apart.
        slice_profile: how sensitivity varies across a slice, see `physics.profile.GRAMMAR`; without it, a DICOM
            series' header decides, and a bell is assumed for a file.
        series: number or UID of the series that is meant, where the folder holds several.
        allow_gaps: take a series whose slices are thinner than they are apart.

    Raises:
        UnreadableFile: nothing is there, or it is damaged or of another kind.
        GeometryError: a file that holds no CT volume.
        IneligibleSeries: a DICOM series that is refused; `code` names the reason.
        ConfigurationError: an argument that means nothing, or that is not for this kind of input.
    """
    path = check_readable(path)
    if path.is_dir():
        if slice_thickness is not None:
            raise ConfigurationError("slice_thickness is for files; a DICOM series has Slice Thickness")
        volume = read_folder(path, series, allow_gaps=allow_gaps).volume
    else:
        if series or allow_gaps:
            raise ConfigurationError(f"series and allow_gaps are for DICOM folders, {path.name} is a file")
        volume = read_nifti(path) if is_nifti(path) else read_nrrd(path)
        evidence = "assumed, a file does not tell"
        volume = replace(volume, slice_thickness=slice_thickness, profile_evidence=evidence)
    if slice_profile is None:
        return volume
    return replace(volume, slice_profile=str(Profile.parse(slice_profile)), profile_evidence="asked for")


def write_volume(volume: Volume, path: Path | str) -> None:
    """Write a volume as NIfTI, float32 in HU.

    A DICOM series is derived from its source's headers: `nullsplat sr` writes one.

    Raises:
        ConfigurationError: no volume.
        UnreadableFile: the name ends neither in .nii nor in .nii.gz.
        StorageError: the file cannot be written.
    """
    if not isinstance(volume, Volume):
        raise ConfigurationError(f"a Volume was needed, got {type(volume).__name__}; a Result has .volume")
    write_nifti(volume, Path(path).expanduser())
