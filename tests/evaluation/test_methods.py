"""The methods of the table: what they are told, what their parts do, and what is refused."""

import dataclasses
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch

from nullsplat.core.errors import ConfigurationError, GeometryError
from nullsplat.core.progress import silent
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.comparison.case import scene_for
from nullsplat.evaluation.data.degrade import protocol
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.methods import external
from nullsplat.evaluation.methods.known import known_of
from nullsplat.evaluation.methods.method import Asked, NotInstalled, Task
from nullsplat.evaluation.methods.registry import find_method, find_methods, method_names
from nullsplat.pipeline.presets import PRESETS
from nullsplat.prior import weights

ISO2 = protocol("iso2")


@pytest.fixture
def small_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preview preset with few views and steps; its mathematics is the same."""
    preview = PRESETS["preview"]
    fit = dataclasses.replace(preview.fit, steps=60)
    sampling = dataclasses.replace(preview.sampling, steps=2)
    small = dataclasses.replace(preview, views=6, fit=fit, sampling=sampling)
    monkeypatch.setitem(PRESETS, "preview", small)


def task_of(subject: Subject) -> Task:
    measured = scene_for(subject, ISO2, seed=0).measured
    return Task(measured, known_of(ISO2), seed=0, device=torch.device("cpu"))


def test_nothing_that_a_method_is_told_holds_the_noise() -> None:
    assert known_of(protocol("iso4", 15)) == known_of(protocol("iso4"))
    assert {field.name for field in dataclasses.fields(Task)} == {"measured", "known", "seed", "device"}


@pytest.mark.parametrize("name", ["trilinear", "cubic", "lanczos", "tv"])
def test_baselines_give_the_grid_that_is_asked_for(subject: Subject, name: str) -> None:
    task = task_of(subject)
    result = find_method(name).reconstruct(task, silent)
    assert result.hu.shape == task.hr_shape == subject.volume.hu.shape
    assert result.stages[name]["seconds"] > 0


@pytest.mark.usefixtures("small_preview")
class TestAblations:
    def test_a_preset_reports_all_of_its_stages(self, subject: Subject) -> None:
        result = find_method("preview").reconstruct(task_of(subject), silent)
        assert list(result.stages) == ["stage1", "stage2", "consistency"]
        assert result.hu.shape == subject.volume.hu.shape

    def test_what_stage_2_keeps_lies_between_stage_1_and_the_gaussians(self, subject: Subject) -> None:
        names = ("preview-no-stage2", "preview-no-detail", "preview")
        voxels, gaussians, whole = (find_method(n).reconstruct(task_of(subject), silent).hu for n in names)
        share = float(
            ((whole - gaussians) * (voxels - gaussians)).sum() / np.square(voxels - gaussians).sum()
        )
        assert share == pytest.approx(PRESETS["preview"].detail, abs=0.1)

    def test_without_stage_1_no_prior_has_a_part_in_it(
        self, subject: Subject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(weights, "load", lambda folder: pytest.fail("no prior was wanted"))
        method = find_method("preview-no-stage1")
        assert method.reconstruct(task_of(subject), silent).hu.shape == subject.volume.hu.shape
        assert method.identity(Asked(known_of(ISO2), seed=0))["model_sha256"] == "0" * 64

    def test_without_the_last_stage_nobody_compares_with_the_measurement(self, subject: Subject) -> None:
        whole = find_method("preview").reconstruct(task_of(subject), silent)
        loose = find_method("preview-no-consistency").reconstruct(task_of(subject), silent)
        assert not np.array_equal(whole.hu, loose.hu)
        assert loose.report["lr_consistency_rmse_hu"] > whole.report["lr_consistency_rmse_hu"]

    def test_a_seed_gives_the_same_again(self, subject: Subject) -> None:
        again = [find_method("preview").reconstruct(task_of(subject), silent).hu for _ in range(2)]
        np.testing.assert_array_equal(*again)


def test_what_decides_a_preset_identifies_it() -> None:
    asked = Asked(known_of(ISO2), seed=0)
    identity = find_method("preview").identity
    assert identity(asked) == identity(asked)
    assert identity(asked) != identity(dataclasses.replace(asked, seed=1))
    assert identity(asked) != find_method("standard").identity(asked)


@pytest.mark.parametrize("activation", ["softplus", "relu", "sine"])
def test_another_activation_is_compared_where_gaussians_are_fitted(activation: str) -> None:
    asked = Asked(known_of(ISO2), seed=0)
    assert find_method(f"paper-{activation}").identity(asked) != find_method("paper").identity(asked)
    with pytest.raises(ConfigurationError, match="a preset without a part"):
        find_method(
            f"preview-{activation}"
        )  # there they follow from stage 1's volume, whatever their activation


@pytest.mark.parametrize("name", ["magic", "preview-no-stage3", "cubic-no-stage1", ""])
def test_unknown_methods_are_refused_with_all_names(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"trilinear, cubic, lanczos, tv.*bm4d, and a preset without a part"
    ):
        find_method(name)


def test_a_method_cannot_come_twice_and_none_is_too_few() -> None:
    for names in (["tv", "tv"], []):
        with pytest.raises(ConfigurationError, match="each once"):
            find_methods(names)


def test_every_listed_method_is_found() -> None:
    assert [method.name for method in find_methods(method_names())] == method_names()


class TestOtherPackages:
    """Methods that packages add by entry points."""

    @staticmethod
    def add(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
        entry = EntryPoint("theirs", f"{__name__}:{function}", external.GROUP)
        monkeypatch.setattr(external, "OWN", (entry,))
        monkeypatch.setitem(external._NEEDS, "theirs", "numpy")
        monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])

    def test_they_are_called_with_volume_scale_and_seed(
        self, subject: Subject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.add(monkeypatch, "repeat_voxels")
        task = task_of(subject)
        result = find_method("theirs").reconstruct(task, silent)
        np.testing.assert_array_equal(result.hu[::2, ::2, ::2], task.measured.hu)
        assert find_method("theirs").identity(Asked(known_of(ISO2), 0)) == {
            "package": f"numpy {np.__version__}"
        }

    def test_another_shape_than_asked_for_is_refused(
        self, subject: Subject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.add(monkeypatch, "leave_as_it_is")
        with pytest.raises(GeometryError, match="theirs must give"):
            find_method("theirs").reconstruct(task_of(subject), silent)

    def test_a_missing_package_is_named(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        entry = EntryPoint("bm4d", "no_such_package:denoise", external.GROUP)
        monkeypatch.setattr(external, "OWN", (entry,))
        with pytest.raises(NotInstalled, match="no_such_package"):
            find_method("bm4d").reconstruct(task_of(subject), silent)


def repeat_voxels(measured: np.ndarray, scale: tuple[float, ...], seed: int) -> np.ndarray:
    for axis, factor in enumerate(scale):
        measured = measured.repeat(int(factor), axis)
    return measured


def leave_as_it_is(measured: np.ndarray, scale: tuple[float, ...], seed: int) -> np.ndarray:
    return measured


def test_bm4d_takes_noise_away() -> None:
    pytest.importorskip("bm4d", reason="optional: pip install nullsplat[eval-extra]")
    noise = np.random.default_rng(0).normal(40, 30, (16, 24, 24)).astype(np.float32)
    measured = Volume(noise, Geometry(noise.shape, (1.0, 1.0, 1.0)))
    task = Task(measured, known_of(ISO2), seed=0, device=torch.device("cpu"))
    cubic, denoised = (find_method(name).reconstruct(task, silent).hu for name in ("cubic", "bm4d"))
    assert denoised.mean() == pytest.approx(40, abs=1)
    assert denoised.std() < cubic.std() / 3
