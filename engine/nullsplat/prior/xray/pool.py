"""Crops drawn from radiographs and CT projections, split by patient."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import InputError
from nullsplat.core.seeds import derive_seed, numpy_generator
from nullsplat.prior.xray.augmentation import Augmentation, random_crop
from nullsplat.prior.xray.data import ProjectedVolume, Radiograph


@dataclass(frozen=True)
class ImagePool:
    """Images of one side of the validation split.

    Attributes:
        radiographs: detector images.
        volumes: projected CT volumes.
        augmentation: how crops vary.
        name: `train` or `validation`; part of every seed.
    """

    radiographs: tuple[Radiograph, ...]
    volumes: tuple[ProjectedVolume, ...]
    augmentation: Augmentation = field(default_factory=Augmentation)
    name: str = "train"

    def draw(self, count: int, seed: int, ct_share: float = 0.5) -> Float[Tensor, "b 1 h w"]:
        """`count` random crops in network range; the same seed gives the same crops."""
        generator = numpy_generator(seed, self.name, "crops")
        share = ct_share if self.radiographs and self.volumes else float(bool(self.volumes))
        crops = []
        for _ in range(count):
            if generator.random() < share:
                views = self.volumes[int(generator.integers(len(self.volumes)))].views
                image = views[int(generator.integers(len(views)))]
            else:
                picked = self.radiographs[int(generator.integers(len(self.radiographs)))].image
                image = torch.from_numpy(picked).float() / 255
            crops.append(random_crop(image, self.augmentation, generator))
        return torch.stack(crops)[:, None]

    @property
    def description(self) -> dict[str, int]:
        """How much the pool holds, for the model card."""
        return {
            "radiographs": len(self.radiographs),
            "radiograph_patients": len({r.patient for r in self.radiographs}),
            "ct_volumes": len(self.volumes),
        }


def split(
    radiographs: list[Radiograph],
    volumes: list[ProjectedVolume],
    augmentation: Augmentation,
    validation_share: float = 0.1,
) -> tuple[ImagePool, ImagePool]:
    """Training and validation pools that share no patient.

    Raises:
        InputError: there are not at least two patients, one to learn from and one to validate on.
    """
    if not radiographs and not volumes:
        raise InputError("training needs radiographs (--data) or CT volumes (--ct), neither was given")
    patients = {r.patient for r in radiographs} | {v.patient for v in volumes}
    aside = held_out(patients, validation_share)

    def pool(name: str, *, validation: bool) -> ImagePool:
        images = tuple(r for r in radiographs if (r.patient in aside) == validation)
        projected = tuple(v for v in volumes if (v.patient in aside) == validation)
        return ImagePool(images, projected, augmentation, name)

    return pool("train", validation=False), pool("validation", validation=True)


def held_out(patients: set[str], share: float) -> set[str]:
    """The patients to validate on: who they are depends on their names alone, so that it survives new data.

    Where chance would leave one side empty, the patient closest to the border changes sides.
    """
    if len(patients) < 2:
        raise InputError(
            f"training needs images of at least 2 patients, one to validate on, got {len(patients)}"
        )
    place = {patient: derive_seed(0, "split", patient) % 10_000 for patient in sorted(patients)}
    by_place = sorted(place, key=lambda patient: place[patient])
    wanted = sum(at < share * 10_000 for at in place.values())
    return set(by_place[: min(max(wanted, 1), len(patients) - 1)])
