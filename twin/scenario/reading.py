"""Reads a scenario part by part against its model, and collects everything that is wrong on the way."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..benefit.question import read_question as read_benefit
from ..errors import TwinError, TwinErrors, show, suggest
from ..files.document import Document, Location, read
from ..files.reach import Reach
from ..files.schema import Examined
from ..model.contract import check_outcome_name
from ..model.extension import extend
from ..patient import BoundPatient, Patient
from ..patient.bind import bind
from ..patient.file import PatientFile
from ..population.virtual import Population
from ..population.virtual.file import CohortEntry
from ..population.virtual.known import know_columns, know_occasions
from ..quantity import parse_quantity, parse_time
from ..regimen import Regimen
from ..settings import Settings, check_length
from ..trials.reading import read_design
from . import fit_reading
from .file import MOST_TIMES, ScenarioFile, TimeGrid
from .occasions_entry import Occasions, effects_of, with_occasions
from .optimise_entry import Aim, build_aim
from .outcome_entry import build_outcome
from .permit import Permit
from .record_entry import JoinEntry, SourceEntry, is_record

if TYPE_CHECKING:
    from ..benefit.question import Question
    from ..ingest.report import Report
    from ..ingest.sources import Source
    from ..model import DiseaseModel, Outcome
    from ..result.twin import Twin
    from ..trials.design import Design

_NOT_OF_A_POPULATION = {
    "patients": "stands beside a population; a scenario is of patients or of a population, so leave one out",
    "draws": "a population says how many persons there are; leave 'draws' out, and write 'size' there",
    "calibration": "a population has no measurements to calibrate on; leave it out",
    "fit": "is of patients with measurements; write some instead of the population",
    "sampling": "when to measure is asked of patients; write some instead of the population",
}
_PASSED_ON = ("draws", "seed", "solver", "dtype", "spread", "uncertainty", "noise")


class Reading:
    """One pass over a scenario, part by part, that collects what is wrong on the way."""

    def __init__(
        self,
        document: Document,
        folder: Path,
        file: ScenarioFile,
        examined: Examined[ScenarioFile],
        permit: Permit,
    ):
        self.document, self.folder, self.file, self.examined = document, folder, file, examined
        self.permit, self.reach = permit, Reach(folder, tuple(os.fspath(one) for one in permit.allow))
        self.found: dict[str, int] = {}  # sentences, and the line of this file each belongs to
        self.listed: dict[Path, list[str]] = {}
        self.warnings: list[str] = []
        self.lost: list[str] = []  # doses of the model's own treatments
        self.reports: list[Report] = []
        self.fingerprints = {"scenario": document.fingerprint}
        for problem in examined.problems:
            self.add(problem.at, document.sentence(problem.at, problem.message))

    def _has_problem(self, *keys: str) -> bool:
        """Whether the file's schema has found something wrong with one of these."""
        return bool(set(keys) & {one.at[0] for one in self.examined.problems if one.at})

    @property
    def problems(self) -> list[str]:
        """The sentences in the order of the file."""
        return sorted(self.found, key=lambda sentence: self.found[sentence])

    def add(self, place: Location, sentence: str) -> None:
        self.found.setdefault(sentence, self.document.line(place))

    def problem(self, at: Location, message: str) -> None:
        place = self.examined.original(at)
        self.add(place, self.document.sentence(place, message))

    @contextlib.contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Where an error inside belongs in the file."""
        try:
            yield
        except TwinErrors as several:
            for problem in several.problems:
                self.problem(place, problem)
        except TwinError as problem:
            self.problem(place, str(problem))

    def everything(self) -> dict[str, Any] | None:
        """Reads every part, and returns them as fields of a `Scenario`; None if anything is wrong."""
        compare = self.file.compare
        if compare and compare.reference not in self.file.regimens:
            hint = suggest(compare.reference, self.file.regimens)
            self.problem(("compare", "reference"), f"unknown regimen '{compare.reference}'; {hint}")
        if not self.file.regimens and self.file.fit is None and not self._has_problem("regimens"):
            self.problem(("regimens",), "is missing; add it")
        model = self.model()
        if model is None:
            return None
        population = self.population(model)
        if population is not None:
            population = know_columns(population)
            model = population.model
        patients = self.patients(model) if population is None else [population.patient()]
        regimens = self.regimens(model)
        now, until, times = self.now(model), self.until(model), self.times(model)
        if self.file.occasions is not None and not self.found:  # what they begin by has been read
            with self.at("occasions"):
                model, patients, regimens = self.occasions(model, patients, regimens, now, until, times)
            population = None if population is None else know_occasions(population, model)
        outcomes = self.outcomes(model)
        aim = self.aim(model, outcomes)
        if until is not None and times and times[-1] > until:
            self.problem(("times",), f"the last, {times[-1]:g} {model.time_unit}, is after until; end them together")
        if times:
            with self.at("times"):
                check_length(times[-1], model.resolution, model.time_unit)
        self.fit(model, patients)
        design = self.trial(model, regimens, outcomes, until)
        benefit = self.benefit(model, population, regimens, outcomes)
        self.replay(model)
        if self.file.sampling is not None and not self.found:  # what it names has been read
            self.sampling(model, patients, regimens, outcomes, now, until)
        sizes = {n: max((p.covariates[n] for p in patients), default=0.0) for n in model.covariates()}
        for name, given in regimens.items():
            self.warnings += [f"regimen '{name}': {one}" for one in given.doubts(model, sizes)]
        if self.found or (self.lost and not self.permit.allow_dropped):
            return None
        tolerance, said = self.file.tolerance, {name: getattr(self.file, name) for name in _PASSED_ON}
        if population is not None:
            said["draws"] = population.size
        settings = Settings(
            now=now, until=until, times=times, rtol=tolerance.relative if tolerance else None,
            atol=tolerance.absolute if tolerance else None, **said,
        )  # fmt: skip
        return {
            "model": model, "patients": tuple(patients), "regimens": regimens, "outcomes": outcomes,
            "settings": settings, "population": population, "aim": aim, "design": design,
            "benefit": benefit,
            "reports": tuple(self.reports), "fingerprints": self.fingerprints,
        }  # fmt: skip

    def model(self) -> DiseaseModel | None:
        from ..library import load_model

        model = None
        with self.at("model"):
            model = load_model(self.file.model)
        if model is None:
            return None
        if self.file.prior is not None:
            model = self.prior(model, self.file.prior)
            if model is None:
                return None
        if self.file.fit is not None and self.file.fit.sites is not None:
            with self.at("fit", "sites"):
                model = fit_reading.know_sites(model, self.file.fit.sites)
        if self.file.covariate_effects and self.file.prior is None:
            with self.at("covariate_effects"):
                model = extend(model, effects_of(self.file.covariate_effects))
        values: dict[str, float] = {}
        for name, value in self.file.parameters.items():
            with self.at("parameters", name):
                declared = model.parameters().get(name)
                if declared is None:
                    raise TwinError(f"unknown parameter '{name}'; {suggest(name, model.parameters())}")
                values[name] = parse_quantity(value, declared.unit)
        return model.with_values(**values) if values else model

    def prior(self, model: DiseaseModel, said: str) -> DiseaseModel | None:
        """The model with the population that was fitted before; None where there is none such."""
        for key in ("covariate_effects", "occasions"):
            if getattr(self.file, key):
                self.problem((key,), "stands beside a prior, which has those it was fitted with; leave it out")
        with self.at("prior"):
            self.reach.check(said)
            fitted = fit_reading.load_prior(self.folder / said, model)
            self.fingerprints[said] = fit_reading.fingerprint(self.folder / said)
            return fitted
        return None

    def fit(self, model: DiseaseModel, patients: Sequence[BoundPatient]) -> None:
        """Checks what is to be estimated; nothing that is wrong elsewhere is said again."""
        if self.file.fit is not None and self.file.patients is not None and not self.found:
            for place, message in fit_reading.problems_of(self.file.fit, model, patients):
                self.problem(("fit", *place), message)

    def occasions(
        self, model: DiseaseModel, patients: Sequence[BoundPatient], regimens: Mapping[str, Regimen],
        now: float | None, until: float | None, times: Sequence[float],
    ) -> tuple[DiseaseModel, list[BoundPatient], dict[str, Regimen]]:  # fmt: skip
        """The model, patients and regimens with the scenario's occasions."""
        entry = self.file.occasions
        assert entry is not None
        for key in ("trial", "benefit", *(("optimise",) if entry.each else ())):
            if getattr(self.file, key) is not None:
                raise TwinError(f"'{key}' follows courses whose occasions are not known beforehand; leave one out")
        said = Occasions.of(
            entry, model, patients, list(regimens.values()), now=now, until=until, times=[] if times is None else times
        )
        return with_occasions(said, model, patients, regimens)

    # patients --------------------------------------------------------------------------------------

    def population(self, model: DiseaseModel) -> Population | None:
        """The population, where a scenario has one instead of patients."""
        said = self.file.population
        if said is None:
            if self.file.patients is None and not self._has_problem("patients", "population"):
                self.problem(("patients",), "is missing; add it, or a population")
            return None
        for key, why in _NOT_OF_A_POPULATION.items():
            if key in self.file.model_fields_set:
                self.problem((key,), why)

        @contextlib.contextmanager
        def at(*place: str | int) -> Iterator[None]:
            with self.at("population", *place):
                yield

        made = Population.build_entry(
            said, model, at, find=self.find, load_twin=self.load_cohort, warn=lambda text: self.warnings.append(text)
        )  # fmt: skip
        self.warnings += [] if made is None else [f"population: {note}" for note in made.notes]
        return made

    def find(self, name: str) -> Path:
        """A file that the scenario names, where it may read it."""
        self.reach.check(name)
        path = self.folder / name
        if path.is_file():
            self.fingerprints[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return path

    def load_cohort(self, entry: CohortEntry) -> Twin:
        from ..result.twin import load_twin

        self.reach.check(entry.path)
        return load_twin(self.folder / entry.path)

    def patients(self, model: DiseaseModel) -> list[BoundPatient]:
        found: dict[str, BoundPatient] = {}
        for i, entry in enumerate(self.file.patients or []):
            for patient in self.entry(i, entry, model):
                if patient.id in found:
                    self.problem(("patients", i), f"a second patient is called '{patient.id}'; give each its own id")
                found[patient.id] = patient
        return list(found.values())

    def entry(
        self, i: int, entry: str | PatientFile | SourceEntry | JoinEntry, model: DiseaseModel
    ) -> list[BoundPatient]:
        if isinstance(entry, SourceEntry | JoinEntry):
            return self.records(i, entry, model)
        patient = self.patient_file(i, entry, model) if isinstance(entry, str) else self.inline(i, model)
        if patient is None:
            return []
        self.warnings += _notes(patient, ends=self.file.now is not None)
        return [patient]

    def records(self, i: int, entry: SourceEntry | JoinEntry, model: DiseaseModel) -> list[BoundPatient]:
        """Patients from their own records; what happened to everything is in `reports`."""
        from ..ingest.report import REFUSED
        from ..ingest.sources import bind, join_patients

        with self.at("patients", i):
            sources = sources_of(entry, self.reach)
            patients, report = join_patients(sources, model, mapping=entry.feeds(), id=entry.id, **entry.choices())
            self.reports.append(report)
            self.fingerprints |= {p.path: one.fingerprint() for p, one in zip(entry.parts(), sources, strict=True)}
            self.lost += [f"{report.source}: {one}" for one in report.losses()]
            people, refused = bind(patients, model)
            if refused and not (self.permit.skip_refused and people):
                raise TwinErrors([*refused.values(), *_how_to_go_on(refused, patients)])
            for who, why in refused.items():
                report.note(who, REFUSED, "patient")
                self.warnings.append(f"left out: {why}")
            return people
        return []

    def patient_file(self, i: int, name: str, model: DiseaseModel) -> BoundPatient | None:
        path = self.folder / name
        with self.at("patients", i):
            self.reach.check(name)
            if not path.is_file():
                raise TwinError(f"no file {show(name)} beside this scenario; {suggest(name, self.files(path.parent))}")
            document = read(path)
            self.fingerprints[name] = document.fingerprint
            patient, problems = bind(document.value, model, path.stem)
            for p in problems:
                self.add(self.examined.original(("patients", i)), document.sentence(p.at, p.message))
            return patient
        return None

    def files(self, folder: Path) -> list[str]:
        """The files in a folder that may be patients, from the scenario's; looked at once."""
        if folder not in self.listed:
            self.listed[folder] = [os.path.relpath(path, self.folder) for path in folder.glob("*.y*ml")]
        return self.listed[folder]

    def inline(self, i: int, model: DiseaseModel) -> BoundPatient | None:
        place = self.examined.original(("patients", i))
        index = int(place[-1])
        if is_record(self.document.value["patients"][index]):
            return None  # what it lacks to be read has been said
        patient, problems = bind(self.document.value["patients"][index], model, f"patient {index + 1}")
        for p in problems:
            self.add((*place, *p.at), self.document.sentence((*place, *p.at), p.message))
        return patient

    # regimens and outcomes -------------------------------------------------------------------------

    def regimens(self, model: DiseaseModel) -> dict[str, Regimen]:
        found: dict[str, Regimen] = {}
        written = self.file.model_dump(include={"regimens"}, exclude_unset=True, by_alias=True).get("regimens", {})
        for name, said in written.items():
            try:
                built = Regimen.build(said)
                problems: Sequence[str] = built.check(model)
            except TwinError as problem:
                problems = getattr(problem, "problems", [str(problem)])
            for problem in problems:
                place, message = _place_in(problem)
                self.problem(("regimens", name, *place), message)
            if not problems:
                found[name] = built
        return found

    def outcomes(self, model: DiseaseModel) -> dict[str, Outcome]:
        if self.file.outcomes is None:
            return dict(model.outcomes)
        found: dict[str, Outcome] = {}
        for i, entry in enumerate(self.file.outcomes):
            with self.at("outcomes", i):
                if isinstance(entry, str):
                    if entry not in model.outcomes:
                        raise TwinError(f"unknown outcome '{entry}'; {suggest(entry, model.outcomes)}")
                    name, outcome = entry, model.outcomes[entry]
                else:
                    name, outcome = build_outcome(entry, model, functools.partial(self.at, "outcomes", i))
                if name in found:
                    raise TwinError(f"a second outcome is called '{name}'; give each its own name")
                check_outcome_name(name)
                if outcome is not None:
                    found[name] = outcome
        return found

    def aim(self, model: DiseaseModel, outcomes: Mapping[str, Outcome]) -> Aim | None:
        if self.file.optimise is None:
            return None

        @contextlib.contextmanager
        def at(*place: str | int) -> Iterator[None]:
            try:
                yield
            except TwinError as problem:
                for one in getattr(problem, "problems", [str(problem)]):
                    inside, message = _place_in(one) if place == ("regimen",) else ((), one)
                    self.problem(("optimise", *place, *inside), message)

        with at():
            if self.file.until is None:
                raise TwinError("candidates have to be followed equally long; add 'until: 7 day' to the scenario")
        return build_aim(self.file.optimise, model, outcomes, at)

    # times -----------------------------------------------------------------------------------------

    def now(self, model: DiseaseModel) -> float | None:
        if self.file.now is None:
            return None
        with self.at("now"):
            return parse_time(self.file.now, model.time_unit)
        return None

    def until(self, model: DiseaseModel) -> float | None:
        if self.file.until is None:
            return None
        with self.at("until"):
            until = parse_time(self.file.until, model.time_unit)
            if until <= 0:
                raise TwinError(f"{show(self.file.until)} is not after time 0; write one such as '90 day'")
            check_length(until, model.resolution, model.time_unit)
            return until
        return None

    def trial(
        self, model: DiseaseModel, regimens: Mapping[str, Regimen], outcomes: Mapping[str, Outcome], until: float | None
    ) -> Design | None:  # fmt: skip
        """The design of a trial, if there is one; nothing that is wrong elsewhere is said again."""
        if self.file.trial is None:
            return None
        with self.at("trial"):
            if self.file.population is None:
                raise TwinError("a trial draws its persons; write a population instead of patients")
            if self.file.now is not None:
                raise TwinError("a trial begins with each person's course; leave now out")
        if set(regimens) != set(self.file.regimens) or (until is None and self.file.until is not None):
            return None
        design, problems = read_design(self.file.trial, model, regimens, outcomes, until)
        for place, message in problems:
            self.problem(("trial", *place), message)
        return design

    def benefit(
        self, model: DiseaseModel, population: Population | None, regimens: Mapping[str, Regimen],
        outcomes: Mapping[str, Outcome],
    ) -> Question | None:  # fmt: skip
        """Who benefits, if that is asked; nothing that is wrong elsewhere is said again."""
        if self.file.benefit is None:
            return None
        with self.at("benefit"):
            if self.file.population is None:
                raise TwinError("it is asked of a population; write one instead of patients")
            if self.file.now is not None:
                raise TwinError("effects begin with each person's course; leave now out")
            if self.file.uncertainty:
                raise TwinError("effects are those of fixed population values; leave uncertainty out")
        if population is None or set(regimens) != set(self.file.regimens):
            return None
        question, problems = read_benefit(self.file.benefit, model, population, regimens, outcomes)
        for place, message in problems:
            self.problem(("benefit", *place), message)
        return question

    def replay(self, model: DiseaseModel) -> None:
        """Checks how often measurements are replayed."""
        chosen = self.file.calibration
        if chosen is not None and chosen.replay is not None:
            with self.at("calibration", "replay"):
                if not parse_time(chosen.replay, model.time_unit) > 0:
                    raise TwinError(f"{show(chosen.replay)} is not a time above 0; write one such as '7 day'")

    def sampling(
        self, model: DiseaseModel, patients: Sequence[BoundPatient], regimens: Mapping[str, Regimen],
        outcomes: Mapping[str, Outcome], now: float | None, until: float | None,
    ) -> None:  # fmt: skip
        """Checks what is asked about when to measure."""
        from ..sampling.question import read_question

        assert self.file.sampling is not None
        asked = read_question(self.file.sampling, model, patients, regimens, outcomes, now=now, until=until)
        for place, message in asked[1]:
            self.problem(("sampling", *place), message)

    def times(self, model: DiseaseModel) -> list[float] | None:
        said = self.file.times
        if said is None:
            return None
        if isinstance(said, TimeGrid):
            with self.at("times"):
                return _grid(said, model.time_unit)
            return None
        found: list[float] = []
        for i, one in enumerate(said):
            with self.at("times", i):
                time = parse_time(one, model.time_unit)
                if found and time <= found[-1]:
                    raise TwinError(f"{show(one)} is not after the time before it; put times in rising order")
                found.append(time)
        return found


def sources_of(entry: SourceEntry | JoinEntry, reach: Reach) -> list[Source]:
    """The records that an entry of `patients` names, each of which the scenario may read."""
    from ..ingest.sources import Source

    sources = [Source(part.reader, part.path, part.options()) for part in entry.parts()]
    for source in sources:
        for name in source.names():
            reach.check(name)
    return [source.within(reach.folder) for source in sources]


def _grid(said: TimeGrid, unit: str) -> list[float]:
    start, to, every = (parse_time(v, unit) for v in (said.start, said.to, said.every))
    if not (every > 0 and to > start):
        raise TwinError("the steps lead nowhere; 'every' must be above 0 and 'to' after 'from'")
    count = (to - start) / every
    if count > MOST_TIMES:
        raise TwinError(f"{count:.0f} times are more than the {MOST_TIMES} allowed; take longer steps")
    return [start + i * every for i in range(int(count + 1e-9) + 1)]


# --- small pieces -------------------------------------------------------------------------------------


def _notes(patient: BoundPatient, *, ends: bool) -> Iterator[str]:
    """What a reader of the results should know about a patient; `ends`: the history ends when regimens begin."""
    yield from patient.warnings
    for i, dose in enumerate(patient.doses):
        if dose.count is None and not ends:
            yield (
                f"patient '{patient.id}': dose {i + 1} repeats to the end, beside every regimen; add 'doses: N' if it "
                "has stopped, or 'now' to the scenario"
            )
    if patient.assumed:
        yield f"patient '{patient.id}': {', '.join(patient.assumed)} not given, taken at the reference value"


def _how_to_go_on(refused: Mapping[str, str], patients: Sequence[Patient]) -> Iterator[str]:
    """What to do about a cohort of whom some are refused."""
    if 0 < len(refused) < len(patients):
        yield f"{len(refused)} of {len(patients)} patients are refused; --skip-refused goes on without them"


def _place_in(problem: str) -> tuple[Location, str]:
    """Where in a regimen a problem says that it is, such as 'feedback.rules[2].dose: ...', and the rest of it."""
    match = re.match(r"((?:feedback|adherence)(?:\.[a-z_]+|\[\d+\])*)(?: \([^)]*\))?:? (.*)", problem, flags=re.DOTALL)
    if not match:
        return (), problem
    parts = re.findall(r"[a-z_]+|\d+", match[1])
    return tuple(int(part) if part.isdigit() else part for part in parts), match[2]
