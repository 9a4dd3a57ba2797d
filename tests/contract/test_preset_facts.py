"""What `nullsplat presets` shows is what was measured, and what the presets are."""

import re
from pathlib import Path

import pytest

from nullsplat.core.preset_facts import CUBIC, DEFAULT, HELP, PRESET_FACTS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def psnr_and_seconds(page: str, heading: str, method: str) -> tuple[float, float]:
    """Of a method, from a page's table of each volume."""
    _, _, volumes = (DOCS / page).read_text().partition("\n## Each volume\n")
    _, _, rest = volumes.partition(f"\n### {heading}\n")
    (line,) = re.findall(rf"^\| cxr \| {re.escape(method)} \|.*$", rest.partition("\n### ")[0], re.M)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    return float(cells[2]), float(cells[10])


@pytest.mark.parametrize("preset", PRESET_FACTS)
def test_costs_and_gains_are_those_of_the_tables(preset: str) -> None:
    facts, page = PRESET_FACTS[preset], "paper.md" if preset == "paper" else "ablations.md"
    assert (facts.psnr, facts.seconds) == psnr_and_seconds(page, "iso4", preset)
    assert facts.psnr_noisy == psnr_and_seconds(page, "iso4+15HU", preset)[0]


def test_cubic_is_that_of_the_same_tables() -> None:
    measured = tuple(psnr_and_seconds("ablations.md", name, "cubic")[0] for name in ("iso4", "iso4+15HU"))
    assert measured == CUBIC


def test_what_a_preset_computes_is_what_it_is_said_to_compute() -> None:
    from nullsplat.pipeline.presets import PRESETS
    from nullsplat.prior.weights import BLOCK

    assert list(PRESET_FACTS) == list(PRESETS)
    for name, facts in PRESET_FACTS.items():
        preset = PRESETS[name]
        slabs = preset.prior == BLOCK
        assert facts.prior == ("slabs" if slabs else "X-ray projections")
        sample = (
            1 + 2 * preset.slabs.steps if preset.posterior_sample else 0
        )  # in whose blocks each slab lies twice
        assert facts.evaluations == (preset.slabs.mirrors + sample if slabs else preset.sampling.steps)


def test_the_default_is_the_one_that_the_help_calls_so() -> None:
    from nullsplat.pipeline.presets import PRESETS

    assert f"{DEFAULT} (default)" in HELP
    assert all(name in HELP for name in PRESETS)


def test_the_page_says_the_same() -> None:
    page = (DOCS / "presets.md").read_text()
    for name, facts in PRESET_FACTS.items():
        gain = f"{facts.psnr - CUBIC[0]:+.2f}"
        costs = (f"`{name}`", f"{facts.seconds:.0f} s", facts.psnr, gain, facts.psnr_noisy)
        assert "| " + " | ".join(map(str, (*costs, facts.prior, facts.evaluations))) + " |" in page


def test_the_node_takes_the_same_default() -> None:
    shipped = (DOCS.parent / "orthanc-config/nullsplat.json").read_text()
    assert f'"Preset" : "{DEFAULT}"' in shipped
