"""Plugin and engine have one opinion of what is a slice, a reformat of slices, or something that a scan comes with."""

from typing import Any

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset

from nullsplat.dicom.read import choosing, derived_kinds
from nullsplat_node.series import kinds

TYPES = (
    "AXIAL", "AXIAL\\CT_SOM5 SPI", "OTHER\\CSA MPR THICK\\\\AXIAL\\CT_SOM5 SPI", "MPR", "REFORMATTED\\AVERAGE", "RESAMPLED",
    "<MPR Thick Range>", "MPR\\CSA MPR", "OTHER\\CSA MIP THICK", "MIP", "MINIP", "AXIAL\\MAXIMUM", "PERFUSION\\RCBF",
    "SUBTRACTION", "VRT", "3D", "AXIAL\\VMI", "FUSED", "SCREEN SAVE", "CURVED", "AXIAL\\MAXIMUM INTENSITY",
)  # fmt: skip


def both(**attributes: Any) -> tuple[Dataset, dict[str, str]]:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset, attributes


def test_the_lists_are_the_same() -> None:
    assert kinds.SLICES.pattern == derived_kinds.SLICES.pattern
    assert kinds.TECHNIQUES == derived_kinds.TECHNIQUES
    assert kinds.COMPANIONS == choosing._COMPANIONS


@pytest.mark.parametrize("rest", TYPES)
def test_a_derived_image_is_of_one_kind_to_both(rest: str) -> None:
    image_type = f"DERIVED\\SECONDARY\\{rest}".upper()
    strange = kinds.strange_word({"ImageType": image_type})
    assert derived_kinds.strange_word(tuple(image_type.split("\\"))) == strange
    is_slice = TYPES.index(rest) < 8
    assert (strange is None) == is_slice


def test_every_storage_class_is_one_thing_to_both() -> None:
    classes = [uid for uid, about in UID_dictionary.items() if "Storage" in about[0]]
    for uid in classes:
        dataset, tags = both(SOPClassUID=uid)
        other = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}
        assert choosing.accompanies(dataset) == (kinds.slices_among([other, tags]) == [other])
