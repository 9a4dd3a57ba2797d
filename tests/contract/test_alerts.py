"""The alert rules for Prometheus: right, tested, and of metrics that exist."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.contract.test_operations import DASHBOARD, DOCUMENT, NAME, all_metrics, queries

MONITORING = Path(__file__).resolve().parents[2] / "docker/monitoring"
MATCHERS = re.compile(r"(nullsplat_\w+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
(GROUP,) = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
TESTS: list[dict[str, Any]] = yaml.safe_load((MONITORING / "alerts.test.yaml").read_text())["tests"]


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> str:
    return all_metrics(tmp_path_factory.mktemp("metrics"))


def values(exposed: str) -> dict[tuple[str, str], set[str]]:
    """What each label of each metric can be, where that is a closed set."""
    found: dict[tuple[str, str], set[str]] = {}
    for family in text_string_to_metric_families(exposed):
        for sample in family.samples:
            for label, value in sample.labels.items():
                found.setdefault((sample.name, label), set()).add(value)
    return found


def test_every_metric_of_the_rules_exists(exposed: str) -> None:
    names = {sample.name for family in text_string_to_metric_families(exposed) for sample in family.samples}
    declared = names | {family.name for family in text_string_to_metric_families(exposed)}
    used = {name for rule in RULES for name in NAME.findall(rule["expr"])}
    assert len(used) > 8
    assert used <= declared


@pytest.mark.parametrize("kind", ["alerts", "dashboard"])
def test_what_a_query_asks_of_a_label_can_be(kind: str, exposed: str) -> None:
    """A state that is misspelt never matches, and nobody notices."""
    known, asked = values(exposed), []
    for query in queries(DASHBOARD) if kind == "dashboard" else [rule["expr"] for rule in RULES]:
        for metric, matchers in MATCHERS.findall(query):
            for label, _, wanted in MATCHER.findall(matchers):
                asked.append((metric, label, set(wanted.split("|"))))
    assert asked
    assert [one for one in asked if not one[2] <= known.get(one[:2], set())] == []


def test_the_document_lists_every_alert_as_it_is() -> None:
    table = DOCUMENT.partition("## Alerts")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|([^|]*)\|", table, re.M)
    units = {"m": " min", "h": " h", "d": " d"}
    written = [
        (rule["alert"], rule["expr"], rule["for"][:-1] + units[rule["for"][-1]] if "for" in rule else "")
        for rule in RULES
    ]
    assert [(name, query.replace("\\|", "|"), wait.strip()) for name, query, wait in rows] == written


def test_every_alert_has_a_test_in_which_it_is_silent_and_one_in_which_it_fires() -> None:
    expected: dict[str, set[bool]] = {}
    for test in TESTS:
        for one in test["alert_rule_test"]:
            expected.setdefault(one["alertname"], set()).add("exp_alerts" in one)
    assert expected == {rule["alert"]: {True, False} for rule in RULES}


@pytest.mark.parametrize("damage", ["", "NullSplatHeld"])
def test_the_rules_do_what_their_tests_say(damage: str, tmp_path: Path) -> None:
    """With promtool, of Debian's package prometheus; a rule that is damaged must be noticed."""
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not here; scripts/setup.sh system installs Debian's package prometheus")
    for name in ("alerts.yaml", "alerts.test.yaml"):
        shutil.copy(MONITORING / name, tmp_path)
    if damage:
        rules = (tmp_path / "alerts.yaml").read_text()
        assert '{state="held"} > 0' in rules
        (tmp_path / "alerts.yaml").write_text(rules.replace('{state="held"} > 0', '{state="held"} > 9'))
    done = subprocess.run(
        [promtool, "test", "rules", "alerts.test.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) is bool(damage), done.stdout + done.stderr
    assert damage in done.stdout + done.stderr
