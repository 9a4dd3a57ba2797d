"""A prior is found by its packaged name or its folder, and becomes the pipeline of its kind."""

from pathlib import Path

import pytest
import torch

from nullsplat.core.errors import WeightsError
from nullsplat.prior import weights
from nullsplat.prior.load import load_prior
from nullsplat.prior.xray.pipeline import ProjectionDDNMPipeline


def test_packaged_priors_are_found_by_name_wherever_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in weights.PACKAGED:
        (tmp_path / name).mkdir()
        (tmp_path / name / weights.MANIFEST).write_text("{}")
        assert weights.locate(name) == weights.FOLDER / name


def test_a_folder_with_a_manifest_is_a_prior(tmp_path: Path) -> None:
    (tmp_path / weights.MANIFEST).write_text("{}")
    assert weights.locate(str(tmp_path)) == tmp_path


def test_what_is_neither_a_name_nor_a_prior_is_refused_with_what_there_is(tmp_path: Path) -> None:
    for wrong in ("slab-huge", str(tmp_path), str(tmp_path / "nowhere")):
        with pytest.raises(WeightsError, match="none, block-small, xray-small or a folder with a"):
            weights.locate(wrong)
        with pytest.raises(WeightsError, match="got "):
            load_prior(wrong, torch.device("cpu"))


def test_a_prior_of_xrays_becomes_the_sampler_of_projections() -> None:
    assert isinstance(load_prior(weights.XRAY, torch.device("cpu")), ProjectionDDNMPipeline)
