"""The console script and ``python -m fleetsweep``: open the streams, run the command, exit with its code.

Nothing else exits, except that a second signal ends the program at once (``cli.signals``).
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import NoReturn

import click

from fleetsweep.cli import cli
from fleetsweep.exit_codes import INCOMPLETE, INTERRUPTED, USAGE


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    leave(run())


def run() -> int:
    """Run the command line and return its exit code. A bug's exception passes through."""
    from fleetsweep.runtime.children import Ended, end_on_signals
    from fleetsweep.runtime.interpreter import tune

    tune()
    _open_closed_streams()
    end_on_signals()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that can't show a box's letters must not cost the report.
        sys.stdout.reconfigure(errors="backslashreplace")
    from fleetsweep.errors import FleetsweepError, UsageError

    try:
        return int(cli(standalone_mode=False) or 0)
    except click.ClickException as error:
        from fleetsweep.notify.dispatch import redact_urls

        # Click quotes the refused word, which may be an address with a password in it.
        shown = io.StringIO()
        error.show(shown)
        click.echo(redact_urls(shown.getvalue()), err=True, nl=False)
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Ended as ended:
        # Not on to the interpreter, which would leave a program running that was just started.
        return ended.status
    except FleetsweepError as error:
        from fleetsweep.report import printable

        # The message quotes files and variables, which anyone may have written.
        click.echo(f"Error: {printable(str(error), limit=2000)}", err=True)
        return USAGE if isinstance(error, UsageError) else INCOMPLETE


def leave(code: int) -> NoReturn:
    """Exit without waiting for a thread that is stuck in a dead connection."""
    from fleetsweep.runtime.children import kill_all

    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    kill_all()
    os._exit(code)


def _open_closed_streams() -> None:
    """Point closed standard streams at /dev/null: else the next file opened would take the number of one."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    main()
