"""The entry point of ``iit``: finds a command by name, and turns errors into words and exit codes.

Exit codes: 0 done, 1 failed, 2 called wrongly, 3 done in part.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import version
from typing import Any

import click

from core.errors import AppError
from core.errors.database import as_app_error
from core.feature_registry import Command, declared, resolve

FAILED = 1


@cache
def commands() -> dict[str, Command]:
    """Every registered command by name.

    Raises:
        RuntimeError: two features register one name.
    """
    return declared("command", lambda feature: feature.commands.items())


class FeatureGroup(click.Group):
    """A group whose commands are those of the features. Listing the commands imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, sorted."""
        return sorted(commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, imported now.

        Raises:
            RuntimeError: what is registered under the name is not a click command.
        """
        registered = commands().get(cmd_name)
        if registered is None:
            return None
        loaded = resolve(registered.target)
        if not isinstance(loaded, click.Command):
            message = f"{registered.target}, registered as the command {cmd_name!r}, is not a click command"
            raise RuntimeError(message)  # noqa: TRY004 - a broken installation, not a caller's type
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands with the help that they registered."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in sorted(commands().items())])

    def invoke(self, ctx: click.Context) -> None:
        """Run the command, and ignore its return value, which must not become the exit code."""
        super().invoke(ctx)


@click.group(cls=FeatureGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("iit-platform"), prog_name="iit")
def cli() -> None:
    """Keep people on HIV treatment from falling out of care: records in, today's list out."""


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: the words after ``iit``; those of this process when None.
    """
    try:
        code: Any = cli.main(args=arguments, prog_name="iit", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return FAILED
    except BrokenPipeError:
        # The reader has closed the pipe (as head does). Python would complain again when it flushes at the end.
        sys.stdout = None
        return FAILED
    except AppError as error:
        explain(error)
        return FAILED
    except Exception as error:
        known = as_app_error(error)
        if type(known) is AppError:
            raise  # a fault of ours: its trace is what the report needs
        explain(known)
        return FAILED
    return code if isinstance(code, int) else 0


def explain(error: AppError) -> None:
    """Write the error and its remedy to standard error."""
    click.echo(f"error: {error.detail}", err=True)
    for field in error.errors:
        click.echo(
            f"  {field.field}: {field.problem}" + (f" ({field.at_terminal})" if field.at_terminal else ""), err=True
        )
    if error.at_terminal:
        click.echo(f"what to do: {error.at_terminal}", err=True)


def main() -> None:
    """Run the command line: the entry point of the installed script ``iit``."""
    sys.exit(run())


if __name__ == "__main__":
    main()
