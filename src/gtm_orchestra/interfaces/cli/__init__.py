"""The `gtm` command. Commands are imported when they are called, so that `gtm --help` stays quick."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from gtm_orchestra import __version__
from gtm_orchestra.errors import GtmError, UsageError

__all__ = ["cli", "main"]

# Command → (module, attribute, one line for --help). The line stands here so that help imports nothing.
_COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("demo", "demo", "Write a sample company and define its profiles: a tour without your data."),
    "init": ("own_data", "init", "Propose gtm.toml for your own data."),
    "catalog": ("own_data", "catalog", "Review and accept the attributes that profiles may use."),
    "doctor": ("own_data", "doctor", "Check the workspace, and known answers inside your data engine."),
    "define-profiles": (
        "profiles",
        "define_profiles",
        "Say which profiles can be personalised, and what blocks.",
    ),
    "plan": ("plans", "plan", "Look at plans: list, show, review, graph, log, verify, diff, schema."),
    "runs": ("runs", "runs", "Look at runs and take them up again: list, show, watch, resume, move, cancel."),
    "audit": ("audit", "audit", "Look at the history: verify, export, metrics, prune."),
    "pause": ("pause", "pause", "Let nothing start or resume, until somebody lifts it."),
    "rules": ("rules", "rules", "Check the rules that decide who sees what, also those that are live."),
    "variants": ("variants", "variants", "Begin and check the file of what people see: template, check."),
    "approvals": ("approvals", "approvals", "Decide what waits for you: list, show, approve, reject."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the library's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        loaded = importlib.import_module(f"gtm_orchestra.interfaces.cli.{module}")
        command: click.Command = getattr(loaded, attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gtm")
def cli() -> None:
    """Turn a go-to-market request into a governed plan and run it over your customer data.

    Exit codes: 0 done, 1 internal, 2 usage, 3 blocked by a gate, 4 waiting for a person, 5 escalated,
    7 conflict or stale digest, 8 rejected, 130 interrupted and resumable.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code; never with a traceback."""
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:  # noqa: PLR0911 - one line per way to end
    try:
        _refuse_undecodable(sys.argv[1:] if arguments is None else arguments)
        result: Any = cli.main(args=arguments, prog_name="gtm", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.Abort:
        return _say("interrupted", "what is finished is kept; go on with: gtm runs resume", 130)
    except click.ClickException as error:
        error.show()
        command = getattr(getattr(error, "ctx", None), "command_path", "gtm")
        click.echo(f"next: {command} --help", err=True)
        return 2
    except GtmError as error:
        return _say(error.message, error.hint, error.exit_code)
    except KeyboardInterrupt:
        return _say("interrupted", "what is finished is kept; go on with: gtm runs resume", 130)
    except BrokenPipeError:
        # The reader of our output went away (| head): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last door: a person never sees a traceback, nor a customer's value
        return _internal(error)
    return result if isinstance(result, int) else 0


def _refuse_undecodable(arguments: list[str]) -> None:
    """Pass for arguments that can be written down again.

    Raises:
        UsageError: One holds bytes that are no UTF-8.
    """
    for number, argument in enumerate(arguments, start=1):
        if any("\ud800" <= char <= "\udfff" for char in argument):
            raise UsageError(
                f"argument {number} is not UTF-8", hint="type it again, or set the terminal to UTF-8"
            )


def _say(message: str, hint: str, code: int) -> int:
    from gtm_orchestra.interfaces.cli.options import plain  # noqa: PLC0415 - only on this path

    # A message may name tables and columns, and those are named by whoever wrote the data.
    click.echo(plain(f"gtm: {message}"), err=True)
    if hint:
        click.echo(plain(f"next: {hint}"), err=True)
    return code


def _internal(error: Exception) -> int:
    import traceback  # noqa: PLC0415 - only on this path

    frames = [f for f in traceback.extract_tb(error.__traceback__) if "gtm_orchestra" in f.filename]
    where = f" at {frames[-1].filename.rpartition('gtm_orchestra/')[2]}:{frames[-1].lineno}" if frames else ""
    return _say(
        f"internal error: {type(error).__name__}{where}",
        "this is a fault of gtm; report it with this line. Nothing acknowledged is lost: 'gtm runs list'",
        1,
    )
