"""A whole evaluation: complete, repeatable, taken up where it was, and honest about failures."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.evaluation.conftest import chest

from nullsplat.core.errors import GeometryError, UnreadableFile
from nullsplat.core.volume import Volume
from nullsplat.evaluation.comparison.case import Record
from nullsplat.evaluation.comparison.report import write_page, write_report
from nullsplat.evaluation.comparison.run import Campaign, run_campaign
from nullsplat.evaluation.data.degrade import protocol
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.methods.known import known_of
from nullsplat.evaluation.methods.method import Method, NotInstalled, Reconstruction, Task
from nullsplat.evaluation.methods.registry import find_methods


class Counted:
    """Repeats voxels and counts how often it was asked to; fails while `broken` is set."""

    def __init__(self, name: str = "repeat", broken: Exception | None = None) -> None:
        self.calls, self.broken, self.settings = 0, broken, "1"
        self.method = Method(name, self._run, lambda asked: {"settings": self.settings})

    def _run(self, task: Task, progress: object) -> Reconstruction:
        self.calls += 1
        if self.broken is not None:
            raise self.broken
        hu = task.measured.hu
        for axis, factor in enumerate(task.known.scale):
            hu = hu.repeat(int(factor), axis)
        cost = {"seconds": 2.0, "peak_memory_mib": 100.0, "peak_gpu_memory_mib": 0.0}
        return Reconstruction(hu, {"a": cost, "b": {**cost, "peak_memory_mib": 300.0}})


def campaign(folder: Path, subjects: list[Subject], *methods: Method, **changes: object) -> Campaign:
    protocols = [protocol("iso2"), protocol("thick2", 15.0)]
    plain = Campaign(subjects, protocols, methods, 0, torch.device("cpu"), folder, blind=False)
    return replace(plain, **changes)  # type: ignore[arg-type]


def run(what: Campaign) -> list[Record]:
    return run_campaign(what, lambda fraction, note: None, lambda line: None)


def test_every_case_is_done_once_and_then_kept(tmp_path: Path, subject: Subject) -> None:
    counted = Counted()
    first = run(campaign(tmp_path, [subject], *find_methods(["cubic"]), counted.method))
    assert [record["status"] for record in first] == ["done"] * 4
    assert counted.calls == 2
    assert run(campaign(tmp_path, [subject], *find_methods(["cubic"]), counted.method)) == first
    assert counted.calls == 2
    assert len(list((tmp_path / "cases").iterdir())) == 4


def test_costs_are_summed_over_stages(tmp_path: Path, subject: Subject) -> None:
    record = run(campaign(tmp_path, [subject], Counted().method))[0]
    assert record["seconds"] == 4.0
    assert record["peak_memory_mib"] == 300.0


@pytest.mark.parametrize("change", [{"seed": 1}, {"blind": True}])
def test_whatever_decides_a_case_makes_it_another(
    tmp_path: Path, subject: Subject, change: dict[str, object]
) -> None:
    counted = Counted()
    run(campaign(tmp_path, [subject], counted.method))
    run(campaign(tmp_path, [subject], counted.method, **change))
    assert counted.calls == 4


def test_other_settings_or_voxels_make_another_case(tmp_path: Path, subject: Subject) -> None:
    counted = Counted()
    run(campaign(tmp_path, [subject], counted.method))
    counted.settings = "2"
    run(campaign(tmp_path, [subject], counted.method))
    assert counted.calls == 4
    warmer = replace(subject, volume=Volume(subject.volume.hu + 1, subject.volume.geometry))
    run(campaign(tmp_path, [warmer], counted.method))
    assert counted.calls == 6


def test_a_damaged_record_is_made_again(tmp_path: Path, subject: Subject) -> None:
    counted = Counted()
    first = run(campaign(tmp_path, [subject], counted.method))
    next((tmp_path / "cases").iterdir()).write_text('{"status": "do')
    again = run(campaign(tmp_path, [subject], counted.method))
    assert counted.calls == 3
    assert [r["scores"] for r in again] == [r["scores"] for r in first]


def test_a_failure_is_recorded_and_the_rest_goes_on(tmp_path: Path, subject: Subject) -> None:
    broken = Counted("broken", GeometryError("no such grid"))
    records = run(campaign(tmp_path, [subject], broken.method, *find_methods(["cubic"])))
    assert [record["status"] for record in records] == ["failed", "done"] * 2
    assert records[0]["error"] == "GeometryError: no such grid"
    broken.broken = None
    assert [r["status"] for r in run(campaign(tmp_path, [subject], broken.method))] == ["done"] * 2


def test_a_volume_too_small_for_a_protocol_fails_alone(tmp_path: Path, subject: Subject) -> None:
    flat = Subject(
        "flat", Volume(subject.volume.hu[:1].copy(), replace(subject.volume.geometry, shape=(1, 24, 24)))
    )
    records = run(campaign(tmp_path, [flat, subject], *find_methods(["cubic"])))
    assert [record["status"] for record in records] == ["failed", "failed", "done", "done"]
    assert "at least one block" in records[0]["error"]


def test_the_truth_is_clipped_before_it_is_degraded(tmp_path: Path, subject: Subject) -> None:
    seen: list[Task] = []

    def watch(task: Task, progress: object) -> Reconstruction:
        seen.append(task)
        raise GeometryError("seen")

    run(campaign(tmp_path, [subject], Method("watch", watch, lambda asked: {})))
    assert seen[0].measured.hu.min() == pytest.approx(-512, abs=0.01)
    assert seen[0].measured.geometry.spacing == (4.0, 2.0, 2.0)
    assert seen[1].measured.hu.min() < -520  # noise comes after it
    assert seen[1].known == known_of(protocol("thick2"))


def test_lung_is_found_in_the_truth_before_it_was_clipped(tmp_path: Path, subject: Subject) -> None:
    record = run(campaign(tmp_path, [subject], *find_methods(["cubic"])))[0]
    assert {"body", "lung", "soft tissue", "bone"} == set(record["scores"]["rmse_hu"])


def test_pictures_show_what_is_compared(tmp_path: Path, subject: Subject) -> None:
    records = run(campaign(tmp_path, [subject], *find_methods(["cubic", "tv"])))
    assert "picture" not in records[0]
    with Image.open(tmp_path / records[1]["picture"]) as picture:
        assert picture.width == 1600


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """A report on two volumes, which the tests read and leave as it is."""
    folder, subject = tmp_path_factory.mktemp("evaluated"), chest()
    other = replace(
        subject, name="other", volume=Volume(subject.volume.hu[:, ::-1].copy() + 9, subject.volume.geometry)
    )
    absent, broken = (
        Counted("absent", NotInstalled("absent needs x")),
        Counted("broken", RuntimeError("a\nb")),
    )
    what = campaign(folder, [subject, other], *find_methods(["cubic", "tv"]), absent.method, broken.method)
    records = run(what)
    write_report(what, records)
    return folder, records


class TestReport:
    def test_results_hold_what_decides_and_describes_them(
        self, evaluated: tuple[Path, list[Record]], subject: Subject
    ) -> None:
        results = json.loads((evaluated[0] / "results.json").read_text())
        assert results["volumes"][0]["sha256"] == subject.sha256
        assert len(results["software"]["code_sha256"]) == len(results["software"]["model_sha256"]) == 64
        assert results["machine"]["cores"] >= 1
        assert results["settings"]["seed"] == 0
        assert len(results["cases"]) == 16

    def test_differences_in_the_table_are_those_of_the_cases(
        self, evaluated: tuple[Path, list[Record]]
    ) -> None:
        folder, records = evaluated
        psnr = {
            (r["volume"], r["method"]): r["scores"]["psnr"]
            for r in records[::2] + records[1::2]
            if "scores" in r and r["protocol"]["kind"] == "iso"
        }
        expected = np.mean([psnr[v, "tv"] - psnr[v, "cubic"] for v in ("chest", "other")])
        row = next(
            line for line in (folder / "table.md").read_text().splitlines() if line.startswith("| tv ")
        )
        assert f"| {expected:+.2f} [" in row

    def test_absent_and_broken_methods_are_in_the_table(self, evaluated: tuple[Path, list[Record]]) -> None:
        table = (evaluated[0] / "table.md").read_text()
        assert "| absent | 0 of 2 | not installed |" in table
        assert "| broken | 0 of 2 | failed |" in table
        assert "- **broken**, chest: failed: RuntimeError: a b" in table

    def test_the_csv_has_a_line_for_each_case(self, evaluated: tuple[Path, list[Record]]) -> None:
        with (evaluated[0] / "table.csv").open() as file:
            lines = list(csv.DictReader(file))
        assert len(lines) == 16
        assert float(lines[0]["psnr"]) == evaluated[1][0]["scores"]["psnr"]
        assert lines[3]["status"] == "failed"

    def test_spectra_and_boxes_are_drawn(self, evaluated: tuple[Path, list[Record]]) -> None:
        names = {path.name for path in (evaluated[0] / "figures").iterdir()}
        assert {"spectrum-iso2.png", "volumes-iso2.png", "spectrum-thick2+15HU.png"} <= names

    def test_a_page_is_rendered_from_the_results_alone(
        self, evaluated: tuple[Path, list[Record]], tmp_path: Path
    ) -> None:
        write_page(evaluated[0] / "results.json", tmp_path / "docs" / "results.md")
        page = (tmp_path / "docs" / "results.md").read_text()
        assert "### iso2" in page
        assert "- **other**, 16 x 24 x 24 voxels of 2.00 x 1.00 x 1.00 mm" in page
        assert "\n\n\n" not in page

    def test_what_people_wrote_above_the_tables_stays(
        self, evaluated: tuple[Path, list[Record]], tmp_path: Path
    ) -> None:
        page = tmp_path / "paper.md"
        write_page(evaluated[0] / "results.json", page)
        assert page.read_text().startswith("# Results\n\n<!-- written by")
        page.write_text(
            page.read_text().replace("# Results\n", "# The paper\n\nTheir own figures.\n") + "stale\n"
        )
        write_page(evaluated[0] / "results.json", page)
        assert page.read_text().startswith("# The paper\n\nTheir own figures.\n\n<!-- written by")
        assert "stale" not in page.read_text()

    def test_another_file_makes_no_page(self, tmp_path: Path) -> None:
        (tmp_path / "x.json").write_text("{}")
        with pytest.raises(UnreadableFile, match=r"results\.json of `nullsplat eval`"):
            write_page(tmp_path / "x.json", tmp_path / "page.md")


def test_one_volume_is_said_to_be_one(tmp_path: Path, subject: Subject) -> None:
    what = campaign(tmp_path, [subject], *find_methods(["cubic"]))
    write_report(what, run(what))
    assert "(one volume)" in (tmp_path / "table.md").read_text()
    assert not list((tmp_path / "figures").glob("volumes-*"))
