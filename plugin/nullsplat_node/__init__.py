# SPDX-License-Identifier: AGPL-3.0-or-later
"""The NullSplat plugin for Orthanc: takes CT series that a rule asks for, has them super-resolved, routes the results.

Folders, each importing only those before it:
    checks       validation of configuration values
    series       what a series is, and why it cannot be taken
    rules        which rule takes it, and with which options
    engine       the engine over HTTP
    lifecycle    the state of a series, and its transitions; pure
    access       who may do what
    settings     the configuration
    archive      Orthanc, and the states stored in it
    views        states as JSON and Prometheus metrics
    work         the thread that acts
    web, ui      routes and pages
Only `archive` uses the `orthanc` module, which is passed to it.
"""

__version__ = "0.1.0"
