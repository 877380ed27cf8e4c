"""Scenarios: a question about treatment in one YAML file, checked in full before anything is solved.

    scenario = load_scenario("scenarios/warfarin/genotype_guided.yaml")    # raises TwinErrors: all problems
    result = twin.simulate(**scenario.arguments)

A scenario holds data only: it names a model that is installed, it cannot load code.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import TwinError, TwinErrors
from ..files.document import Document, read
from ..files.schema import examine
from ..patient import BoundPatient
from ..patient.file import PatientFile
from ..population.virtual import People, Population
from ..regimen import Regimen
from ..settings import Settings
from .file import ScenarioFile
from .optimise_entry import Aim
from .permit import Permit
from .reading import Reading

if TYPE_CHECKING:
    from ..benefit.question import Question
    from ..ingest.report import Report
    from ..model import DiseaseModel, Outcome
    from ..trials.design import Design


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A checked scenario: what stands in its file, and the model, patients, regimens and outcomes it names.

    `reports` say what happened to everything in the patients' own records; `fingerprints` are the SHA-256 of every
    file that was read, by its name in the scenario.
    """

    name: str
    folder: Path
    document: Document
    file: ScenarioFile
    model: DiseaseModel
    patients: tuple[BoundPatient, ...]
    regimens: Mapping[str, Regimen]
    outcomes: Mapping[str, Outcome]
    settings: Settings
    population: Population | None = None  # whose persons are the draws of its one patient
    aim: Aim | None = None  # what `optimise` says
    design: Design | None = None  # what `trial` says
    benefit: Question | None = None  # what `benefit` asks
    reports: tuple[Report, ...] = ()
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def question(self) -> dict[str, Any]:
        """What is asked of whom, without what draws have of their own."""
        self.require_regimens()
        names = ("model", "patients", "regimens", "outcomes", "settings")
        return {name: getattr(self, name) for name in names}

    @property
    def arguments(self) -> dict[str, Any]:
        """What `twin.simulate` is called with; of a population, its persons too."""
        people = self.people()
        return self.question if people is None else self.question | people.own()

    def people(self) -> People | None:
        """The persons of its population, as many as there are draws; None where it is of patients."""
        if self.population is None:
            return None
        return self.population.draw(self.settings.seed, range(self.settings.draws))

    def require_patients(self, for_what: str) -> None:
        """Raises TwinError where a population stands instead of patients."""
        if self.population is not None:
            raise TwinError(
                f"{self.document.name}: has a population and no patients {for_what}; write patients instead"
            )

    def require_regimens(self) -> None:
        """Raises TwinError where there are none: a scenario that is only fitted."""
        if not self.regimens:
            raise TwinError(f"{self.document.name}: has no 'regimens:', so there is nothing to simulate; add some")

    def but(self, **changes: Any) -> Scenario:
        """The same with other settings, such as `draws=200`."""
        return dataclasses.replace(self, settings=self.settings.but(**changes)) if changes else self

    @property
    def reference(self) -> str | None:
        """The regimen that the others are compared with."""
        return self.file.compare.reference if self.file.compare else None


@dataclasses.dataclass(frozen=True)
class Check:
    """What was found in a scenario file: problems (it cannot run) and warnings (it can), one sentence each.

    `lost` are doses of the model's own treatments that got lost on the way from a record: it cannot run either,
    unless that is allowed. `reports` say what became of everything in the records.
    """

    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    scenario: Scenario | None
    lost: tuple[str, ...] = ()
    reports: tuple[Report, ...] = ()


def load_scenario(path: str | os.PathLike[str], **permitted: Any) -> Scenario:
    """The scenario in a file; raises TwinErrors with every problem in it and in the patient files it names.

    Args:
        path: the file. What it names must lie in its folder.
        permitted: what else is allowed, as `Permit` has it: `allow=["../cohort"]`, `skip_refused=True`,
            `allow_dropped=True`.
    """
    checked = check(path, **permitted)
    if checked.scenario is None:
        raise TwinErrors([*checked.lost, *checked.problems])
    return checked.scenario


def check(path: str | os.PathLike[str], **permitted: Any) -> Check:
    """Everything that can be known about a scenario file without solving it, and what it names, built.

    `permitted` is what `load_scenario` takes.
    """
    permit = Permit(**permitted)
    try:
        document = read(path)
    except TwinError as problem:
        return Check((str(problem),), (), None)
    if _is_patient(document.value):
        remedy = "name it under 'patients:' in a scenario and check that"
        return Check(
            (f"{document.name}: looks like a patient file, which is checked with a model; {remedy}",), (), None
        )
    examined = examine(document.value, ScenarioFile)
    if examined.content is None:
        return Check(tuple(document.sentence(p.at, p.message) for p in examined.problems), (), None)
    reading = Reading(document, Path(path).parent, examined.content, examined, permit)
    built = reading.everything()
    scenario = None if built is None else Scenario(Path(path).stem, reading.folder, document, examined.content, **built)
    return Check(
        tuple(reading.problems), tuple(reading.warnings), scenario, tuple(reading.lost), tuple(reading.reports)
    )


def _is_patient(value: Any) -> bool:
    """Whether every key is one of a patient file, and none of a scenario's own."""
    return isinstance(value, Mapping) and bool(value) and set(value) <= set(PatientFile.model_fields)
