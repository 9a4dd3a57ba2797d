"""The validation split, and drawing crops."""

import numpy as np
import pytest
import torch

from nullsplat.core.errors import InputError
from nullsplat.prior.xray.augmentation import Augmentation
from nullsplat.prior.xray.data import ProjectedVolume, Radiograph
from nullsplat.prior.xray.pool import ImagePool, split

SMALL = Augmentation(size=(16, 16))
WHITE, BLACK = np.full((20, 20), 255, np.uint8), np.zeros((20, 20), np.uint8)


def radiographs(patients: int, each: int = 2) -> list[Radiograph]:
    return [Radiograph(f"patient {p}", BLACK) for p in range(patients) for _ in range(each)]


def volumes(count: int) -> list[ProjectedVolume]:
    return [ProjectedVolume(f"ct {i}", torch.ones(3, 20, 20)) for i in range(count)]


def patients_of(pool: ImagePool) -> set[str]:
    return {image.patient for image in pool.radiographs} | {volume.patient for volume in pool.volumes}


@pytest.mark.parametrize(("images", "cts"), [(100, 20), (2, 0), (0, 2), (1, 1), (3, 0)])
def test_no_patient_is_on_both_sides_and_none_is_lost(images: int, cts: int) -> None:
    train, validation = split(radiographs(images), volumes(cts), SMALL)
    assert patients_of(train)
    assert patients_of(validation)
    assert not patients_of(train) & patients_of(validation)
    assert len(train.radiographs) + len(validation.radiographs) == 2 * images
    assert len(train.volumes) + len(validation.volumes) == cts


def test_about_the_wanted_share_is_held_out() -> None:
    _, validation = split(radiographs(1000), [], SMALL, validation_share=0.2)
    assert 150 < len(patients_of(validation)) < 250


def test_more_data_moves_no_patient_to_the_other_side() -> None:
    _, few = split(radiographs(100), [], SMALL)
    _, many = split(radiographs(300), volumes(5), SMALL)
    assert patients_of(few) <= patients_of(many)


@pytest.mark.parametrize(
    ("images", "cts", "message"), [(0, 0, "neither was given"), (1, 0, "at least 2 patients")]
)
def test_too_little_to_learn_and_validate_is_refused(images: int, cts: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        split(radiographs(images), volumes(cts), SMALL)


def test_a_seed_and_a_side_decide_the_crops() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8)
    images = (Radiograph("a", noise),)
    train = ImagePool(images, (), SMALL, "train")
    assert torch.equal(train.draw(4, seed=3), train.draw(4, seed=3))
    assert not torch.equal(train.draw(4, seed=3), train.draw(4, seed=4))
    assert not torch.equal(train.draw(4, seed=3), ImagePool(images, (), SMALL, "validation").draw(4, seed=3))


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 50), (1.0, 200)])
def test_projections_have_their_share_of_the_crops(share: float, expected: int) -> None:
    pool = ImagePool(tuple(radiographs(1)), tuple(volumes(1)), SMALL)
    crops = pool.draw(200, seed=0, ct_share=share)
    assert crops.shape == (200, 1, 16, 16)
    projections = int((crops.amax((1, 2, 3)) > -1).sum())  # radiographs are black here
    assert projections == pytest.approx(expected, abs=20 if 0 < share < 1 else 0)


def test_a_pool_of_one_kind_draws_that_kind_whatever_the_share() -> None:
    black, white = ImagePool(tuple(radiographs(1)), (), SMALL), ImagePool((), tuple(volumes(1)), SMALL)
    assert float(black.draw(20, seed=0, ct_share=0.9).max()) == -1
    assert float(white.draw(20, seed=0, ct_share=0.1).min()) > 0


def test_white_of_eight_bits_is_the_top_of_the_range_but_for_the_gain() -> None:
    pool = ImagePool((Radiograph("a", WHITE),), (), Augmentation(size=(16, 16), gain=0.0))
    torch.testing.assert_close(pool.draw(2, seed=0), torch.ones(2, 1, 16, 16))


def test_the_description_counts_images_patients_and_volumes() -> None:
    pool = ImagePool(tuple(radiographs(3)), tuple(volumes(2)), SMALL)
    assert pool.description == {"radiographs": 6, "radiograph_patients": 3, "ct_volumes": 2}
