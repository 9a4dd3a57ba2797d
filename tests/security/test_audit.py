"""What the environment is made of, and that scripts/audit.py would notice."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "audit.py"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_is_wrong_with_this_environment(audit: ModuleType) -> None:
    assert {check: wrong for check, wrong in audit.problems().items() if wrong} == {}


def test_the_dependencies_of_dependencies_are_looked_at(audit: ModuleType) -> None:
    names = [one.metadata["Name"].lower() for one in audit.needed("nullsplat")]
    assert {"nullsplat", "torch", "sympy", "starlette", "urllib3"} <= set(names)  # sympy is torch's
    assert len(names) == len(set(names))
    assert "pytest" not in names


def test_bounds_are_seen(audit: ModuleType) -> None:
    given = ["a>=1", "b", "c>=1,<2", "d==1.0", "e~=1.4", "f!=2"]
    assert audit.unbounded(given) == ["a>=1", "b", "f!=2"]


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-3-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND (GPL-2.0-only OR LGPL-3.0-only)", False),
        ("AGPL-3.0-or-later", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("BSD-3-Clause-No-Nuclear-License", False),
        ("", False),
    ],
)
def test_licences_are_told_apart(audit: ModuleType, expression: str, allowed: bool) -> None:
    assert audit.is_allowed(expression) is allowed


def test_a_licence_without_a_reason_is_named(audit: ModuleType) -> None:
    given = [("a", "MIT"), ("b", "GPL-3.0-only"), ("c", ""), ("psycopg", "LGPL-3.0-only")]
    assert audit.refused_licences(given) == ["b: GPL-3.0-only", "c: states no licence"]


def test_cuda_in_a_cpu_environment_is_named(audit: ModuleType) -> None:
    names = ["torch", "nvidia-cublas", "cuda-toolkit", "barracuda"]
    assert audit.cuda("2.13.0+cpu", names) == ["nvidia-cublas", "cuda-toolkit"]
    assert audit.cuda("2.13.0", names) == []


@pytest.mark.parametrize(
    "script", ['VERSION = "3.13"', 'VERSION = "@x", "3.13.2"\nINTEGRITY = "c2hvcnQ="', ""]
)
def test_a_viewer_that_is_not_pinned_is_named(audit: ModuleType, script: str) -> None:
    assert audit.loose_viewer(script) != []


@pytest.mark.parametrize(
    ("code", "out", "err", "words"),
    [
        (0, "", "No known vulnerabilities found", "none known"),
        (1, "x 1.0 CVE-1", "Found 1 known vulnerability in 1 package", "x 1.0 CVE-1"),
        (1, "", "ERROR: connection refused", "NOT CHECKED.*connection refused"),
    ],
)
def test_what_was_not_looked_up_is_not_called_fine(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, code: int, out: str, err: str, words: str
) -> None:
    monkeypatch.setattr(audit.importlib.util, "find_spec", lambda name: object())
    done = SimpleNamespace(returncode=code, stdout=out, stderr=err)
    monkeypatch.setattr(audit.subprocess, "run", lambda *_arguments, **_options: done)
    said = audit.look_up()
    assert re.match(words, said)


def test_without_pip_audit_it_says_so(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit.importlib.util, "find_spec", lambda name: None)
    assert audit.look_up().startswith("NOT CHECKED")
