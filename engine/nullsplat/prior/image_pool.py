"""Crops drawn from radiographs and CT projections, split by patient."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.core.errors import InputError
from nullsplat.core.seeds import derive_seed, numpy_generator
from nullsplat.prior.augmentation import Augmentation, random_crop
from nullsplat.prior.data import ProjectedVolume, Radiograph


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
        InputError: there is nothing to learn from.
    """
    if not radiographs and not volumes:
        raise InputError("training needs radiographs (--data) or CT volumes (--ct), neither was given")

    def held_out(patient: str) -> bool:
        return derive_seed(0, "split", patient) % 10_000 < validation_share * 10_000

    sides = []
    for name, wanted in (("train", False), ("validation", True)):
        images = tuple(r for r in radiographs if held_out(r.patient) == wanted)
        projected = tuple(v for v in volumes if held_out(v.patient) == wanted)
        sides.append(ImagePool(images, projected, augmentation, name))
    train, validation = sides
    if not (train.radiographs or train.volumes):
        raise InputError("no patient is left to train on after the validation split; give more data")
    if not (validation.radiographs or validation.volumes):
        validation = ImagePool(train.radiographs, train.volumes, augmentation, "validation")
    return train, validation
