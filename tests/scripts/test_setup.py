"""scripts/setup.sh installs what is needed and leaves services as they were; Debian's programs are stand-ins here."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = {"orthanc", "orthanc-python", "orthanc-dicomweb", "orthanc-webviewer", "orthanc-gdcm"}
STAND_INS = {
    "dpkg-query": 'for package; do :; done; grep -qx "$package" "$MACHINE/installed" && printf installed',
    "apt-get": 'echo "apt-get $*" >>"$MACHINE/log"; case "$*" in *install*) '
    '{ [ -x "$POLICY_RC_D" ] && "$POLICY_RC_D"; echo "services may start: $?" >>"$MACHINE/log"; };; esac; '
    '[ ! -e "$MACHINE/broken" ]',
    "systemctl": 'echo "systemctl $*" >>"$MACHINE/log"',
    "sudo": 'exec "$@"',
    "tee": 'exec /usr/bin/tee "$@"',
    "mkdir": ":",  # of PostgreSQL's configuration
}


class Machine:
    """A machine with some packages."""

    def __init__(self, folder: Path, installed: set[str]) -> None:
        self.folder = folder
        self.policy = folder / "policy-rc.d"
        (folder / "bin").mkdir()
        (folder / "installed").write_text("\n".join(sorted(installed)) + "\n")
        (folder / "log").write_text("")
        for name, body in STAND_INS.items():
            program = folder / "bin" / name
            program.write_text(f"#!/bin/bash\n{body}\n")
            program.chmod(0o755)

    def set_up(self, *words: str) -> "subprocess.CompletedProcess[str]":
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        environment = {
            **os.environ,
            "PATH": path,
            "MACHINE": str(self.folder),
            "POLICY_RC_D": str(self.policy),
        }
        command = ["bash", str(ROOT / "scripts/setup.sh"), *words]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def asked_for(self) -> set[str]:
        """Packages that were to be installed."""
        lines = re.findall(r"^apt-get install (.*)$", self.log, re.M)
        return {word for line in lines for word in line.split() if not word.startswith("-")}


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    return Machine(tmp_path, {"postgresql"})  # so that the test keeps away from /etc/postgresql-common


def test_the_demonstration_needs_orthanc_and_nothing_else(bare: Machine) -> None:
    done = bare.set_up("system", "demo")
    assert done.returncode == 0, done.stderr
    assert bare.asked_for == DEMO


def test_the_tests_need_more(bare: Machine) -> None:
    assert bare.set_up("system").returncode == 0
    assert bare.asked_for >= DEMO | {"chromium", "nginx-light", "buildah", "mmdebstrap", "dicom3tools"}


def test_no_service_starts_by_being_installed_nor_at_the_next_boot(bare: Machine) -> None:
    done = bare.set_up("system")
    assert "services may start: 101" in bare.log
    assert "systemctl --quiet disable orthanc" in bare.log
    assert "systemctl --quiet disable nginx" in bare.log
    assert "systemctl enable --now orthanc" in done.stdout
    assert not bare.policy.exists(), "other installations may start services again"


def test_a_service_that_the_machine_had_stays_as_it_is(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"orthanc"})
    machine.set_up("system", "demo")
    assert machine.asked_for == DEMO - {"orthanc"}
    assert "disable" not in machine.log


def test_a_machines_own_policy_stays(bare: Machine) -> None:
    bare.policy.write_text("#!/bin/sh\nexit 101\n# of the administrator\n")
    bare.policy.chmod(0o755)
    assert bare.set_up("system", "demo").returncode == 0
    assert "of the administrator" in bare.policy.read_text()


def test_services_may_start_again_when_an_installation_fails(bare: Machine) -> None:
    (bare.folder / "broken").write_text("")
    assert bare.set_up("system", "demo").returncode != 0
    assert not bare.policy.exists()


def test_nothing_is_installed_where_nothing_is_missing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, DEMO)
    assert machine.set_up("system", "demo").returncode == 0
    assert machine.log == ""


@pytest.mark.parametrize("words", [(), ("python", "everything"), ("demo",)])
def test_other_words_are_refused(bare: Machine, words: tuple[str, ...]) -> None:
    done = bare.set_up(*words)
    assert done.returncode == 1
    assert "say what to set up" in done.stderr


def test_the_demonstration_is_set_up_with_no_more_than_it_needs() -> None:
    dry = subprocess.run(["make", "--dry-run", "demo"], cwd=ROOT, capture_output=True, text=True, check=True)
    steps = re.findall(r"scripts/setup\.sh (.*)", dry.stdout)
    assert steps == ["python demo", "system demo"]
