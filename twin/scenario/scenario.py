"""Scenarios: a question about treatment in one YAML file, checked in full before anything is solved.

    scenario = load_scenario("scenarios/warfarin/genotype_guided.yaml")    # raises TwinErrors: all problems
    model = scenario.build_model()
    twin.simulate(model, scenario.build_patients(model), regimens=scenario.build_regimens(model), ...)

A scenario holds data only: it names a model that is installed, it cannot load code.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import TwinError, TwinErrors
from ..files.document import Document, read
from ..files.schema import Examined, examine
from ..patient import BoundPatient
from ..patient.file import PatientFile
from ..regimen import Regimen
from .file import ScenarioFile
from .reading import Reading, sources_of
from .record_entry import JoinEntry, SourceEntry

if TYPE_CHECKING:
    from ..ingest.report import Report
    from ..model import DiseaseModel, Outcome
    from .reading import Ingested

Part = TypeVar("Part")


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A checked scenario file: its settings, and the model, patients, regimens and outcomes it names."""

    name: str
    folder: Path
    document: Document
    settings: ScenarioFile
    ingested: Ingested = dataclasses.field(default_factory=dict, compare=False, repr=False)

    def build_model(self) -> DiseaseModel:
        """The model it names, with the scenario's other typical values."""
        model = self._built(lambda reading: reading.model())
        assert model is not None  # else a problem has been raised
        return model

    def build_patients(self, model: DiseaseModel) -> list[BoundPatient]:
        """Its patients in the model's units, in the order written."""
        return self._built(lambda reading: reading.patients(model))

    def build_regimens(self, model: DiseaseModel) -> dict[str, Regimen]:
        """Its regimens by name, in the order written."""
        return self._built(lambda reading: reading.regimens(model))

    def build_outcomes(self, model: DiseaseModel) -> dict[str, Outcome]:
        """Its outcomes by name; all of the model's if it names none."""
        return self._built(lambda reading: reading.outcomes(model))

    def build_until(self, model: DiseaseModel) -> float | None:
        """When the course ends, in model time."""
        return self._built(lambda reading: reading.until(model))

    def build_times(self, model: DiseaseModel) -> list[float] | None:
        """The times of the stored course, in model time."""
        return self._built(lambda reading: reading.times(model))

    def reports(self) -> list[Report]:
        """What happened to everything in the patients' own records, as far as they have been read."""
        return [report for _, report in self.ingested.values()]

    def fingerprints(self) -> dict[str, str]:
        """The SHA-256 of every file that was read, by its name in the scenario."""
        files = {"": self.document.name} | {
            name: self.folder / name for name in self.settings.patients if isinstance(name, str)
        }
        found = {
            name or "scenario": hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in files.items()
        }
        for entry in self.settings.patients:
            if isinstance(entry, SourceEntry | JoinEntry):
                named = zip(entry.parts(), sources_of(entry, self.folder), strict=True)
                found |= {part.path: source.fingerprint() for part, source in named}
        return found

    @property
    def reference(self) -> str | None:
        """The regimen that the others are compared with."""
        return self.settings.compare.reference if self.settings.compare else None

    def _built(self, part: Callable[[Reading], Part]) -> Part:
        reading = Reading(self.document, self.folder, self.settings, Examined(self.settings, (), ()), self.ingested)
        built = part(reading)
        if reading.found:
            raise TwinErrors(reading.problems)
        return built


@dataclasses.dataclass(frozen=True)
class Check:
    """What was found in a scenario file: problems (it cannot run) and warnings (it can), one sentence each."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    scenario: Scenario | None


def load_scenario(path: str | os.PathLike[str]) -> Scenario:
    """The scenario in a file; raises TwinErrors with every problem in it and in the patient files it names."""
    checked = check(path)
    if checked.scenario is None:
        raise TwinErrors(checked.problems)
    return checked.scenario


def _is_patient(value: Any) -> bool:
    """Whether every key is one of a patient file, and none of a scenario's own."""
    return isinstance(value, Mapping) and bool(value) and set(value) <= set(PatientFile.model_fields)


def check(path: str | os.PathLike[str]) -> Check:
    """Everything that can be known about a scenario file without solving it."""
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
    reading = Reading(document, Path(path).parent, examined.content, examined)
    warnings = tuple(reading.everything())
    if reading.found:
        return Check(tuple(reading.problems), warnings, None)
    folder = Path(path).parent
    return Check((), warnings, Scenario(Path(path).stem, folder, document, examined.content, reading.ingested))
