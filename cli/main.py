"""The `twin` command: finds its subcommands, and turns expected failures into one line each.

twin simulate scenarios/warfarin/genotype_guided.yaml
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

COMMANDS = {
    "simulate": "Run scenarios: outcome table, figure and dataset, one result folder each.",
    "calibrate": "Fit patients to their observations: posteriors, and whether to trust them.",
    "fit": "Fit a population to many patients: estimates with errors, and whether to trust them.",
    "sampling": "Choose when to measure: the times that tell most about patients or a population.",
    "optimise": "Choose a treatment: the best of what can be given, judged on draws that did not choose it.",
    "trial": "Simulate trials: power, error, size and duration of a design, each with its standard error.",
    "benefit": "Say who benefits: the effect on everybody, whom to treat by what is known, and what a trial could see.",
    "population": "Describe who is drawn, and write persons and their courses in others' formats.",
    "nca": "Non-compartmental analysis of patients, tables or simulated courses: areas, half-life, clearance, volumes.",
    "check": "Check scenario files without solving anything.",
    "diagnose": "Check a calibration: predictive checks, NPDE, forecasts of hidden measurements, SBC.",
    "ledger": "Show what a regimen with feedback measured, decided and gave, for one trajectory.",
    "replay": "Give a result's doses again, and check that every number comes out the same.",
    "models": "List the disease models, or show one in full.",
    "schema": "Print the JSON Schema of scenario (or patient) files, for editors.",
}


class _Lazy(click.Group):
    """Imports a command's file only when it is used, so that `twin --help` is immediate."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"cli.commands.{cmd_name}"), cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from twin.errors import suggest

            ctx.fail(f"unknown command '{args[0]}'; {suggest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="patient-twin", prog_name="twin")
def twin() -> None:
    """Patient digital twins: what would each treatment do to this patient?"""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line. Exit codes: 0 done, 1 something is wrong with the input, 2 wrong usage."""
    try:
        twin.main(args=arguments, standalone_mode=False)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except Exception as problem:
        _print_failure(problem)
        sys.exit(1)


def _print_failure(problem: Exception) -> None:
    """Prints an expected failure; anything else is a defect and keeps its traceback."""
    from twin.errors import TwinError

    from .runtime import print_problems

    if not isinstance(problem, TwinError):
        raise problem
    print_problems(problem)


if __name__ == "__main__":
    main()
