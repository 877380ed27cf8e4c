"""`twin schema`: the JSON Schema of scenario and patient files."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--patient", is_flag=True, help="The schema of patient files instead of scenarios.")
def schema(patient: bool) -> None:
    """Print the JSON Schema of scenario files, so that an editor can complete and check them.

    Save it, and put `# yaml-language-server: $schema=scenario.schema.json` at the top of a scenario.
    """
    from twin.files.schema import json_schema
    from twin.patient.file import PatientFile
    from twin.scenario.file import ScenarioFile

    click.echo(json.dumps(json_schema(PatientFile if patient else ScenarioFile), indent=2))
