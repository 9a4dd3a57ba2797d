# SPDX-License-Identifier: AGPL-3.0-or-later
"""The NullSplat plugin for Orthanc: takes low-dose chest CT, has it super-resolved, routes the result.

Layers, each importing only those before it:
    refusal, tags, geometry, dose                 what a series is
    checks, schedule, conditions, rules           which rule takes it, and what the rule orders
    eligibility                                   is this series ours to do, and why
    rules_file, settings                          what is configured
    contract, routing, state                      what is said to the engine, remembered
    transitions, reconciler, requests, view       what follows from what; all pure
    reasons, metrics                              what is counted, and by which words
    engine_client, archive, store                 the engine, Orthanc, and the series metadata
    engine_link, parts, audit                     what everything that acts is made of; who did what when
    intake, steps, worker, granting               what happens when
    service, rest, pages, access                  what people and programs ask
Nothing here but `archive` knows the `orthanc` module, and that is handed to it.
"""

__version__ = "0.1.0"
