"""What plugin and engine both know is the same on either side: they cannot import each other."""

import pytest
from pydicom.uid import AllTransferSyntaxes
from tests.dicom.test_conformance import can_be_read

from nullsplat.core.errors import GeometryError
from nullsplat.core.volume import Geometry
from nullsplat.dicom.geometry import limits
from nullsplat.dicom.read import eligibility, one_acquisition, pixel_format
from nullsplat.dicom.refusals import Refusal
from nullsplat_node.rules import eligibility as plugin_eligibility
from nullsplat_node.series import limits as plugin_limits
from nullsplat_node.series import one_acquisition as plugin_one_acquisition
from nullsplat_node.series import pixel_format as plugin_pixel_format
from nullsplat_node.series.geometry import Stack
from nullsplat_node.series.refusal import FORCIBLE, TITLES, Refused
from nullsplat_node.series.syntaxes import READABLE_SYNTAXES

OF_THE_PLUGIN = {
    "series-not-unique": "the engine is given one series",
    "not-axial": "the node takes axial stacks only",
    "already-fine": "the default scale has a target",
    "non-square-pixels": "the engine raises GeometryError when it plans the run",
}
OF_THE_ENGINE = {
    "mixed-series": "Orthanc keeps series apart",
    "mixed-study": "Orthanc keeps studies apart",
    "duplicate-instances": "Orthanc keeps an instance once",
    "values-beyond-bits-stored": "only the pixels tell",
}


def constants(module: object) -> dict[str, object]:
    return {name: value for name, value in vars(module).items() if name.isupper()}


@pytest.mark.parametrize(
    ("engine", "plugin"),
    [(limits, plugin_limits), (one_acquisition, plugin_one_acquisition), (pixel_format, plugin_pixel_format)],
    ids=["limits", "acquisition", "pixel_format"],
)
def test_limits_and_tables_are_the_same(engine: object, plugin: object) -> None:
    assert constants(engine) == constants(plugin)
    assert len(constants(engine)) >= 3


def test_spectral_image_types_are_the_same() -> None:
    assert eligibility.SPECTRAL_IMAGE_TYPES == plugin_eligibility.SPECTRAL_IMAGE_TYPES


def test_the_plugin_takes_the_transfer_syntaxes_that_the_engine_decodes() -> None:
    assert set(filter(can_be_read, AllTransferSyntaxes)) == READABLE_SYNTAXES


def test_every_reason_is_known_to_both_sides_or_said_to_be_of_one() -> None:
    engine, plugin = {reason.value for reason in Refusal}, set(TITLES) - FORCIBLE
    assert plugin - engine == set(OF_THE_PLUGIN)
    assert engine - plugin == set(OF_THE_ENGINE)


@pytest.mark.parametrize("columns", [0.7, 0.7005, 0.702, 0.5])
@pytest.mark.parametrize("scale", [(4.0, 1.0, 1.0), (2.0, 2.0, 2.0)])
def test_the_plugin_refuses_the_pixels_that_the_engine_cannot_refine(
    columns: float, scale: tuple[float, float, float]
) -> None:
    from nullsplat.pipeline.config import configure
    from nullsplat.pipeline.forward_model import forward_model

    refused = []
    for attempt in (
        lambda: plugin_eligibility._square_pixels(Stack((), 5.0, (0.7, columns)), scale),
        lambda: forward_model(Geometry((4, 8, 8), (5.0, 0.7, columns)), configure(scale)),
    ):
        try:
            attempt()
        except (Refused, GeometryError):
            refused.append(True)
        else:
            refused.append(False)
    assert refused[0] == refused[1]
