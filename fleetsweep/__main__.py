"""``python -m fleetsweep``, and the console script: streams, and what every error comes to."""

from __future__ import annotations

import gc
import io
import os
import sys

import click

from fleetsweep.cli import cli
from fleetsweep.errors import FleetsweepError, UsageError


def _open_closed_streams() -> None:
    """Have closed standard streams lead nowhere: else the next file opened would take the place of one."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _print_error(error: FleetsweepError) -> None:
    """An error quotes files, and variables and names in them, which hold what anybody wrote there."""
    from fleetsweep.report import printable

    click.echo(f"Error: {printable(str(error), limit=2000)}", err=True)


def main() -> None:
    """Run the command line; exit as the table of exit codes says."""
    from fleetsweep.runtime.children import end_on_signals, kill_all

    # Cycles are few here, and a run loads 50,000 objects: looking through them all the time is a twentieth of it.
    gc.set_threshold(100_000)
    _open_closed_streams()
    end_on_signals()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that can't show a box's letters must not cost the report.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        from fleetsweep.notify.dispatch import without_addresses

        # A misplaced word is quoted, and it may be an address with a password in it.
        shown = io.StringIO()
        error.show(shown)
        click.echo(without_addresses(shown.getvalue()), err=True, nl=False)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except UsageError as error:
        _print_error(error)
        sys.exit(2)
    except BrokenPipeError:
        kill_all()
        os._exit(3)
    except FleetsweepError as error:
        _print_error(error)
        sys.exit(3)


if __name__ == "__main__":
    main()
