"""`nullsplat plan` from its options to what it prints and writes."""

from pathlib import Path

from nullsplat.planning.report import show, write_report
from nullsplat.planning.request import Options, request_of
from nullsplat.planning.search import plan
from nullsplat.planning.trace import make_trace


def run(options: Options, picture: Path | None, report: Path | None) -> bool:
    """Answer the question; whether a number of workers was found.

    Raises:
        ConfigurationError: an option says something that cannot be.
        UnreadableFile: a file cannot be read.
        StorageError: picture or report cannot be written.
    """
    if picture is not None:
        from nullsplat.planning.plot import check_kind, save_plot  # noqa: PLC0415 - takes long to import

        check_kind(picture)
    request = request_of(options)
    trace = make_trace(request.site, request.times, request.years, request.seed)
    found = plan(trace, request.site, request.share, request.seed, request.numbers)
    show(found, request)
    if picture is not None:
        save_plot(found, request.share, picture)
    if report is not None:
        write_report(found, request, report)
    return found.enough is not None
