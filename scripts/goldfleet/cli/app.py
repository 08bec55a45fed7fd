"""Mounts the commands, and turns every error into one clear message on stderr and an exit code.

A command's module is imported when the command is asked for, and must itself import nothing heavy at its top:
`goldfleet --help` has 0.3 s.
"""

import importlib
import importlib.util
import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from goldfleet import __version__
from goldfleet.cli.output import UnfinishedError
from goldfleet.errors import GoldfleetError, RefusedError

COMMANDS = {
    "bake": "goldfleet.cli.bake:bake",
    "images": "goldfleet.cli.images:app",
    "known-hosts": "goldfleet.cli.known_hosts:known_hosts",
    "local": "goldfleet.cli.local:app",
    "roll": "goldfleet.cli.roll:app",
    "verify": "goldfleet.cli.verify:verify",
    "demo": "goldfleet.cli.demo:demo",
}
"""Command -> where it is: a function, or a Typer with commands of its own."""

BROKEN_PIPE = 141
"""128 + SIGPIPE, as a shell reports a program whose reader went away."""

_PLAIN: dict[str, Any] = {"rich_markup_mode": None, "add_completion": False, "pretty_exceptions_enable": False}
"""typer's rich help costs 0.25 s of imports."""


class LazyGroup(TyperGroup):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the names of the commands that this installation has."""
        return [name for name, where in COMMANDS.items() if importlib.util.find_spec(where.partition(":")[0])]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None when there is none of this name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        return _as_command(cmd_name, getattr(importlib.import_module(module), attribute))


def _as_command(name: str, found: Any) -> Any:
    """Return a function or a Typer as a command of this name, with this program's way of showing help."""
    parent = typer.Typer(**_PLAIN)
    parent.callback()(lambda: None)  # without one typer makes a lone command the whole program
    if isinstance(found, typer.Typer):
        parent.add_typer(found, name=name)
    else:
        parent.command(name)(found)
    return get_group(parent).commands[name]


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, **_PLAIN)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"goldfleet {__version__}")
        raise typer.Exit


@app.callback()
def goldfleet(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Golden AMIs and the fleet that runs on them.

    AWS is found the standard way: profile, region, AWS_ENDPOINT_URL.
    """


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; never raises."""
    try:
        code = app(args=list(arguments), prog_name="goldfleet", standalone_mode=False)
    except GoldfleetError as error:
        return report_error(error, "--json" in arguments)
    except UnfinishedError as unfinished:
        return report_error(unfinished.error, "--json" in arguments, unfinished.facts)
    except typer.TyperException as error:
        print(f"goldfleet: {error.format_message()} See `goldfleet --help`.", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stdout = None  # nothing may be flushed to the closed pipe at exit
        return BROKEN_PIPE
    except Exception:  # noqa: BLE001 - the last resort
        traceback.print_exc()
        print("goldfleet: this is a bug in goldfleet. Please report it, with the lines above.", file=sys.stderr)
        return GoldfleetError.exit_code
    return code if isinstance(code, int) else 0


def report_error(error: GoldfleetError, as_json: bool, facts: Mapping[str, Any] | None = None) -> int:
    """Print an error for people on stderr and return its exit code.

    When JSON was asked for, one document for programs goes to stdout: the facts there are, and the key `error`.
    """
    reasons = error.reasons if isinstance(error, RefusedError) else ()
    print(f"goldfleet: {error}", *(f"  - {reason}" for reason in reasons), sep="\n", file=sys.stderr)
    if as_json:
        document = {
            "kind": type(error).__name__,
            "exit_code": error.exit_code,
            "message": error.message,
            "next_step": error.next_step,
            "reasons": list(reasons),
        }
        print(json.dumps({**(facts or {}), "error": document}, indent=2))
    return error.exit_code
