"""How the command line ends: messages without tracebacks, exit codes 0, 1 and 2."""

from __future__ import annotations

import sys

import typer

from improvement.errors import ManyErrors, RegelkreisError


def run(application: typer.Typer) -> int:
    """Run the application; returns the exit code (0 fine, 1 findings or refusals, 2 usage or invalid input)."""
    import click

    try:
        code = application(standalone_mode=False)
        return int(code or 0)
    except RegelkreisError as error:
        show(error)
        return error.exit_code
    except click.exceptions.Exit as leaving:
        return int(leaving.exit_code)
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0


def show(error: RegelkreisError) -> None:
    """Print an error and how to mend it on standard error."""
    errors = error.errors if isinstance(error, ManyErrors) else [error]
    for one in errors:
        print(f"error: {one}", file=sys.stderr)
