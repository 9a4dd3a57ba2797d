"""The OHIF viewer beside the demonstration's Orthanc, where `make viewer` has fetched it."""

from pathlib import Path
from typing import Any

from nullsplat.node.configuration import configuration_folder, overlay, read_file

_EXAMPLE = "viewer.json.example"


def viewer_configuration(folder: Path) -> dict[str, Any]:
    """Orthanc's configuration to serve the viewer: the shipped example with this folder; empty without a viewer.

    Raises:
        ConfigurationError: the example cannot be read.
    """
    if not (folder / "index.html").is_file():
        return {}
    example = read_file(configuration_folder() / _EXAMPLE)
    (path,) = example["ServeFolders"]["Folders"]
    return overlay(example, {"ServeFolders": {"Folders": {path: str(folder.absolute())}}})
