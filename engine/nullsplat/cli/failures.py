"""How a command ends: exit code 2 when the input was bad, 1 when the work failed, and one line that says why."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from nullsplat.core.errors import InputError, NullSplatError
from nullsplat.core.signals import Stopped, end_by, orderly_ending

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130


@contextmanager
def readable_failures(*, debug: bool) -> Iterator[None]:
    """Turn an error into one line on standard error and an exit code; with `debug` let the traceback through.

    SIGTERM and a closed terminal end the command as Ctrl-C does: what it keeps in temporary folders is removed.
    """
    try:
        with orderly_ending():
            yield
    except KeyboardInterrupt as error:
        print("nullsplat: stopped", file=sys.stderr)
        if isinstance(error, Stopped) and error.number != signal.SIGINT:
            end_by(error.number)
        raise typer.Exit(INTERRUPTED) from None
    except NullSplatError as error:
        if debug:
            raise
        print(f"nullsplat: {error}", file=sys.stderr)
        raise typer.Exit(BAD_INPUT if isinstance(error, InputError) else FAILED) from error
    except OSError as error:
        if debug:
            raise
        print(f"nullsplat: {_describe(error)}", file=sys.stderr)
        raise typer.Exit(FAILED) from error
    except typer.Exit:
        raise
    except Exception as error:  # the outermost boundary: what was not foreseen is a bug, and says so
        if debug:
            raise
        print(
            f"nullsplat: internal error: {error!r}; run again with --debug and report it",
            file=sys.stderr,
        )
        raise typer.Exit(FAILED) from error


def _describe(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
