# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks a rules file, or tries it on series, without Orthanc. `nullsplat rules` runs this as a separate process.

    python3 nullsplat_rules.py check FILE.toml
    python3 nullsplat_rules.py check < request.json
    python3 nullsplat_rules.py test < request.json

The request: {"configuration": Orthanc's, which names the file, "series": [{"label", "instances": [simplified tags],
"called_aet", "calling_aet"}]}; only `test` needs series. Exit code 0; or 2 when the file or the request cannot be used, with the reason on standard error.
"""

import json
import pathlib
import sys
from typing import Any, List

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from nullsplat_node.checks import SettingsError
from nullsplat_node.rules.file import read_rules
from nullsplat_node.rules.report import check_report, read_samples, trial_report
from nullsplat_node.rules.rules import ProcessingOptions
from nullsplat_node.settings import read_criteria

USAGE = "use: nullsplat_rules.py check FILE.toml, or: nullsplat_rules.py check|test < request.json"


def main(arguments: List[str]) -> int:
    """Print the report and return 0; or print why there is none to standard error and return 2."""
    try:
        sys.stdout.write(_report(arguments) + "\n")
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _report(arguments: List[str]) -> str:
    if len(arguments) == 2 and arguments[0] == "check":
        return check_report(read_rules(pathlib.Path(arguments[1]), ProcessingOptions()))
    if arguments not in (["check"], ["test"]):
        raise ValueError(USAGE)
    request: Any = json.load(sys.stdin)
    if not isinstance(request, dict):
        raise ValueError("the request must be a JSON object with configuration and series")
    criteria = read_criteria(request.get("configuration", {}))
    if arguments == ["check"]:
        return check_report(criteria.rules)
    return trial_report(read_samples(request.get("series")), criteria)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
