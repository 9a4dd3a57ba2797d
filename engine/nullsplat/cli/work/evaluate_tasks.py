"""The work of `nullsplat eval --task`: read the options and the volumes, run all rounds, write tables and page."""

from functools import partial

from nullsplat.cli.work.evaluate import Request, plan_of
from nullsplat.core.console import displayed
from nullsplat.core.errors import ConfigurationError
from nullsplat.evaluation.tasks.page import write_tasks
from nullsplat.evaluation.tasks.run import TaskCampaign, run_tasks


def run_tasks_of(request: Request, rounds: int) -> None:
    """Evaluate by tasks, and say where the tables are.

    Raises:
        InputError: a volume or an option cannot be used.
        StorageError: the folder cannot be written.
    """
    if request.blind:
        raise ConfigurationError("--task tells methods the slice profile; leave --blind out")
    campaign = TaskCampaign(**vars(plan_of(request)), rounds=rounds)
    with displayed(None) as shown:
        records = run_tasks(campaign, partial(shown, f"{campaign.size} cases"))
    write_tasks(campaign, records, request.page)
    print(f"wrote {request.out / 'tasks.md'}: {len(records)} cases")
