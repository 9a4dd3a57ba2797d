"""API or worker of the release that PYTHONPATH names: `python engine.py api|worker RELEASE CONTROL`.

As `nullsplat serve` and `nullsplat worker`, but with the release's own double of the processing instead of a prior, which
takes most of a start to load.
"""

import runpy
import sys
from pathlib import Path
from typing import Any

import uvicorn


def serve(processing: Any) -> None:
    """Serve the API until SIGTERM."""
    try:
        from nullsplat.service.api import server
    except ImportError:  # before the service had folders
        from nullsplat.service import server
    from nullsplat.service.settings import Settings

    settings = Settings()
    with (
        server.application(settings, processing) as app,
        server.listening_socket(settings.host, settings.port) as listener,
    ):
        uvicorn.Server(server.server_configuration(app, settings)).run(sockets=[listener])


if __name__ == "__main__":
    role, release, control = sys.argv[1], *map(Path, sys.argv[2:])
    of_release = runpy.run_path(str(release / "tests/soak/soaking/worker.py"))
    if role == "api":
        serve(of_release["FastProcessing"](control))
    else:
        of_release["main"](control, 0.0)
