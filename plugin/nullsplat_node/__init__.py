# SPDX-License-Identifier: AGPL-3.0-or-later
"""The NullSplat plugin for Orthanc: takes CT series that a rule asks for, has them super-resolved, routes the results.

Folders, each importing only those before it:
    checks       of what people write into configuration files
    series       what a series is, and why it cannot be taken
    rules        which rule takes it, and what the rule options
    engine       the engine over HTTP
    lifecycle    what is remembered of a series, and what follows from what; pure
    access       who may ask for what
    settings     what is configured
    archive      Orthanc, and the states that are kept in it
    views        states as people and programs read them
    work         what acts, and when
    web, ui      routes and pages
Nothing here but `archive` knows the `orthanc` module, and that is handed to it.
"""

__version__ = "0.1.0"
