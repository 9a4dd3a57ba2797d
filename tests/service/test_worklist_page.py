"""docs/worklist.md and the statement's section on the worklist say what the engine does."""

import json
import os
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from tests.support.service.engine import SECRET, Engine, wait_for
from tests.support.service.fast_processing import FastProcessing

from nullsplat.dicom.write.codes import ORDER_PARAMETERS
from nullsplat.service.api.server import application
from nullsplat.service.settings import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "worklist.md").read_text()
STATEMENT = (DOCS / "conformance.md").read_text()
ADDRESS = "http://127.0.0.1:8043"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing (Debian: apt-get install curl)")
def test_the_pages_commands_order_follow_move_and_cancel(engine: Engine, tmp_path: Path) -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)
    (order,) = [text for kind, text in blocks if kind == "json"]
    (tmp_path / "order.json").write_text(order)
    commands = [text for kind, text in blocks if not kind]
    script = "echo ---\n".join(commands).replace(ADDRESS, str(engine.client.base_url))
    environment = {"PATH": os.environ["PATH"], "NULLSPLAT_SECRET": SECRET, "NO_PROXY": "*"}
    bash = ["bash", "-eu", "-c", script]
    done = subprocess.run(bash, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ordered, followed, subscribed, changed = done.stdout.split("---")
    assert (ordered.strip(), subscribed.strip(), changed.strip()) == ("", "", "")
    for answer in followed.strip().replace("][", "]\n[").splitlines():
        (item,) = json.loads(answer)
        assert item["00741000"]["Value"] == ["SCHEDULED"]
    (job,) = engine.client.get("/v1/jobs").json()["jobs"]
    assert (job["state"], job["request"]["priority"]) == ("cancelled", "stat")


def test_the_pages_client_hears_of_a_job(engine: Engine, request_for: Callable[..., dict[str, Any]]) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
    address = str(engine.client.base_url).rstrip("/")
    program = program.replace(ADDRESS.replace("http", "ws"), address.replace("http", "ws"))
    environment = {**os.environ, "NULLSPLAT_SECRET": SECRET, "NO_PROXY": "*"}
    uid = f"2.25.{int(engine.put(request_for()), 16)}"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        wait_for(lambda: _subscribed(engine, uid) and select.select([client.stdout], [], [], 0.5)[0])
        said = [client.stdout.readline()]
        engine.start_worker()
        while not said[-1].endswith("COMPLETED\n"):
            said.append(client.stdout.readline())
            assert said[-1], client.stderr.read()
        client.kill()
    assert said[0] == f"{uid} is SCHEDULED\n"
    assert f"{uid} is IN PROGRESS\n" in said
    assert any(line.endswith("percent\n") for line in said)


def _subscribed(engine: Engine, uid: str) -> bool:
    """Subscribe the page's AE title; again each time, as nobody is told who has no channel yet."""
    return engine.post(f"/workitems/{uid}/subscribers/DESK7").status_code == 201


def test_the_page_has_every_parameter() -> None:
    table = re.findall(r"^\| `([A-Z]+)` \|", PAGE, re.M)
    assert table == [code.value for code in ORDER_PARAMETERS.values()]


def test_the_statement_has_every_transaction_and_no_other(settings: Settings, tmp_path: Path) -> None:
    stated = set(re.findall(r"`(GET|POST|PUT|DELETE) (/(?:workitems|subscribers)[^`?]*)`", STATEMENT))
    with application(settings, FastProcessing(tmp_path / "control")) as app:
        routes = [route for route in app.routes if isinstance(route, APIRoute)]
    served = {(method, route.path) for route in routes for method in route.methods}
    assert {one for one in served if one[1].startswith(("/workitems", "/subscribers"))} == stated
