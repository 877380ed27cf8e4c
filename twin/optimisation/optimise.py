"""optimise(): which of the regimens that can be given is best for a patient, or for all, and how good it is.

import twin
found = twin.optimise(
    "vancomycin", twin.Patient("ana", covariates={"creatinine": 1.6}),
    outcomes={"auc": twin.model.Area(of="vancomycin", since=48.0, until=72.0)}, until="72 h",
    optimise={
        "regimen": "{dose} over 1 h q{every}",
        "choose": {"dose": {"from": "500 mg", "to": "3000 mg", "step": "250 mg"}, "every": ["12 h", "24 h"]},
        "maximise": {"probability": "auc", "from": 400, "to": 600},
    },
)
found.values("ana"), found["ana"].best.fresh
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DomainWarning, TwinError, TwinErrors
from ..files.document import spell
from ..files.schema import examine
from ..library import as_model
from ..model import DiseaseModel, Outcome
from ..patient import BoundPatient, Patient
from ..regimen import Regimen
from ..regimen.template import Candidate
from ..run.batch import Own
from ..run.people import bind_arms, bind_patients
from ..run.question import select_outcomes
from ..scenario.optimise_entry import Aim, OptimiseEntry, build_aim, problems_of
from ..settings import MOST_DRAWS, Settings
from .bench import Bench, Job
from .evolution import race_evolved
from .gradient import race_summits
from .judge import Scores, Standing
from .optimum import Chosen, Judged, Optimisation, Optimum, Other
from .pareto import dominated_share
from .race import Group, Race, race_all
from .split import hold_back

MOST_TABLE = 10_000  # candidates that are all tried
_DEFAULT = Settings()


def optimise(
    model: DiseaseModel | str,
    patients: Patient | BoundPatient | Sequence[Patient | BoundPatient],
    *,
    optimise: Mapping[str, Any] | Aim,
    regimens: Mapping[str, Any] | None = None,
    outcomes: Sequence[str] | Mapping[str, Outcome] | None = None,
    settings: Settings = _DEFAULT,
    seed: int | None = None,
    now: float | str | None = None,
    until: float | str | None = None,
    solver: str | None = None,
    dtype: str | None = None,
    spread: bool | None = None,
    uncertainty: bool | None = None,
    individuals: Mapping[str, Any] | None = None,
    deviations: Mapping[str, Any] | None = None,
    covariates: Mapping[str, Any] | None = None,
    choose: Callable[..., Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Optimisation:
    """Choose the best of the regimens that can be given, and judge it on draws that it was not chosen by.

    Args:
        model, patients: as `simulate` has them.
        optimise: what `optimise:` of a scenario file says: regimen, choose, maximise or minimise, subject_to, for,
            search.
        regimens: others, by name, which are judged on the same fresh draws.
        outcomes: names of the model's outcomes, or name -> `Outcome`; those that the aim does not name are not solved.
        settings: as `simulate` has them; draws are those of the search.
        individuals, deviations, covariates: draws of a posterior (patient, draw). Half of them at most are held back to
            judge by, and draws that are the same are never on both sides.
        choose: who chooses doses where a rule says `dose: chosen`, as `simulate` has it.
        progress: called with the number of trajectories solved so far.

    Returns:
        An optimum for each patient, or one for all: the candidates with their objective and its error, the winner (or
        Pareto set), and how it does on fresh draws.
    """
    how = settings.but(
        seed=seed, now=now, until=until, solver=solver, dtype=dtype, spread=spread, uncertainty=uncertainty, noise=False
    ).but(times=())  # fmt: skip
    if how.until is None:
        raise TwinError("candidates have to be followed equally long; set until, such as until='7 day'")
    built = as_model(model)
    people = bind_patients(built, patients)
    asked = select_outcomes(built, outcomes)
    aim = optimise if isinstance(optimise, Aim) else read_aim(optimise, built, asked)
    others = bind_arms(built, regimens) if regimens else {}
    own, search, total = hold_back(Own(individuals or {}, deviations or {}, covariates or {}), aim, how.seed, people)
    if total > MOST_DRAWS:
        raise TwinError(f"{total} draws are more than the {MOST_DRAWS} allowed; write fewer in search")
    if not how.spread and not how.uncertainty and not own.individuals and not own.deviations:
        search, total = 1, 2  # everybody is typical, and one draw is as all others
    counted = {name: outcome for name, outcome in asked.items() if name in aim.outcomes}
    how = dataclasses.replace(how, draws=total)
    bench = Bench(built, tuple(people), counted, how, own, search, total, choose, progress)
    groups: list[Group] = [range(len(people))] if aim.together else [[i] for i in range(len(people))]
    began = time.perf_counter()
    races, method, left_out, why = _search(bench, aim, groups)
    optima = [optimum for part in _parts(races) for optimum in _judge_fresh(bench, aim, part, others)]
    spent = bench.spent
    told = {
        "seconds": round(time.perf_counter() - began, 3), "trajectories": spent.trajectories,
        "solve_seconds": round(spent.seconds, 3), "compile_seconds": round(spent.compile_seconds, 3),
        "seed": how.seed, "draws": search, "fresh": total - search,
    }  # fmt: skip
    for doubt in spent.doubts:
        warnings.warn(doubt, DomainWarning, stacklevel=2)
    return Optimisation(aim, tuple(optima), method, left_out, why, tuple(spent.doubts), told)


def read_aim(said: Mapping[str, Any], model: DiseaseModel, outcomes: Mapping[str, Outcome]) -> Aim:
    """What a mapping says, as a scenario file would; an error lists all that is wrong with it."""
    examined = examine(said, OptimiseEntry)
    problems = [f"optimise.{spell(p.at)}: {p.message}" for p in examined.problems]
    if problems or examined.content is None:
        raise TwinErrors(problems)

    @contextlib.contextmanager
    def at(*place: str | int) -> Iterator[None]:
        try:
            yield
        except TwinError as problem:
            where = spell(("optimise", *place))
            problems.extend(f"{where}: {one}" for one in getattr(problem, "problems", [str(problem)]))

    aim = build_aim(examined.content, model, outcomes, at)
    if aim is None:
        raise TwinErrors(problems)
    return aim


def _search(bench: Bench, aim: Aim, groups: Sequence[Group]) -> tuple[list[Race], str, int, str]:
    """The races, by which method, how many combinations cannot be given, and why the first of them cannot."""
    method = aim.method
    if method == "auto":
        method = "gradient" if aim.template.continuous else "table" if aim.template.count <= MOST_TABLE else "evolution"
    if method == "table":
        candidates, left_out, why = _possible(aim, bench.model)
        return race_all(bench, aim, candidates, groups), method, left_out, why
    if method == "gradient":
        return race_summits(bench, aim, groups), method, 0, ""
    return race_evolved(bench, aim, groups), method, 0, ""


def _possible(aim: Aim, model: DiseaseModel) -> tuple[list[Candidate], int, str]:
    """All combinations that can be given; how many cannot, and why the first of them."""
    if aim.template.count > 10 * MOST_TABLE:
        raise TwinError(
            f"optimise: {aim.template.count:,} combinations are too many to try all; use method: evolution, or "
            "choose from fewer"
        )
    found, left_out, why = [], 0, ""
    for candidate in aim.template.everything():
        problems = problems_of(aim.template, candidate, model)
        if problems:
            left_out, why = left_out + 1, why or f"{aim.template.describe(candidate)}: {problems[0]}"
        else:
            found.append(candidate)
    if not found:
        raise TwinError(f"optimise: none of the combinations can be given; {why}")
    return found, left_out, why


# on fresh draws ---------------------------------------------------------------------------------------

_SIDE_BY_SIDE = 64  # groups judged in one go


def _parts(races: Sequence[Race]) -> Iterator[Sequence[Race]]:
    for i in range(0, len(races), _SIDE_BY_SIDE):
        yield races[i : i + _SIDE_BY_SIDE]


def _judge_fresh(
    bench: Bench, aim: Aim, races: Sequence[Race], others: Mapping[str, Regimen]
) -> Iterator[Optimum]:  # fmt: skip
    """What was chosen, and the other regimens, on draws that nothing was chosen by."""
    people = sorted({i for race in races for i in race.group})
    arms: dict[Candidate, int] = {}
    for race in races:
        for k in race.chosen:
            arms.setdefault(race.candidates[k], len(arms))
    named = {f"chosen: {aim.template.describe(one)}": aim.template.regimen(one) for one in arms}
    batch = bench.batch(named | dict(others), people)
    bench.spent.doubts.update(dict.fromkeys(batch.doubts))
    rest = range(len(arms), len(arms) + len(others))
    jobs = [
        Job([people.index(i) for i in race.group], [*(arms[race.candidates[k]] for k in race.chosen), *rest],
            bench.fresh)
        for race in races
    ]  # fmt: skip
    for race, solved in zip(races, bench.solve(batch, jobs), strict=True):
        scores = Scores.of_solved(aim, solved)
        count = len(race.chosen)
        judged = _judge_all(aim, scores)
        chosen = tuple(
            Chosen(race.candidates[k], aim.template.spell(race.candidates[k]), _first_look(race, k), one)
            for k, one in zip(race.chosen, judged[:count], strict=True)
        )
        gains = scores.behind(0)
        told = {
            name: Other(judged[count + i], -float(gains.value[0, count + i]), float(gains.error[0, count + i]))
            for i, name in enumerate(others)
        }
        yield Optimum(tuple(bench.people[i].id for i in race.group), race, chosen, told)


def _first_look(race: Race, k: int) -> Judged:
    value, error = (tuple(map(float, column[:, k])) for column in race.found)
    share = float(race.dominated[k])
    return Judged(
        value, error, int(race.draws[k]), int(race.failed[k]), bool(race.allowed[k]),
        None if np.isnan(share) else share,
    )  # fmt: skip


def _judge_all(aim: Aim, scores: Scores) -> list[Judged]:
    """Every arm."""
    found = scores.estimates()
    standing = Standing.of_estimates(aim, found)
    several = len(aim.objectives) > 1
    shares = dominated_share(aim, scores, standing) if several else None
    draws = scores.of.shape[-1]
    return [
        Judged(
            tuple(map(float, found.value[:, k])), tuple(map(float, found.error[:, k])), draws, int(scores.failed[k]),
            bool(standing.is_allowed[k]), None if shares is None else float(shares[k]),
        )
        for k in range(scores.of.shape[1])
    ]  # fmt: skip
