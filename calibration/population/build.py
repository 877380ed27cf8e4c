"""From a model, patients and what a fit is told to the statement of it: effects, levels, what courses depend on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from twin.errors import TwinError, suggest
from twin.model import DiseaseModel
from twin.patient import BoundPatient
from twin.scenario.fit_entry import FitEntry

from ..prior import Prior
from ..target import Target
from .cloud import Sky, numbers_of
from .compile import careful
from .statement import Coordinate, Level, Numbers, Statement

_SAME = 1e-9  # relative: a parameter that moves less than this does not depend on a value
_LEAST = 30.0  # times smaller than at the start: a standard deviation that is next to 0
_SITE, _CLASS = 0.1, 1.0  # where fits begin: variance between sites, of that between patients; classes, sds apart


def build_sky(
    model: DiseaseModel, patients: Sequence[BoundPatient], entry: FitEntry, **how: object
) -> tuple[Sky, np.ndarray]:
    """The patients under the statement of a fit, and the vector that it begins at: the model's own numbers."""
    people = _require_measured(sorted(patients, key=lambda one: one.id))
    seen = {o.observable for one in people for o in one.observations}
    effects = _effects(model, entry)
    estimated = _list_estimated(model, entry, effects, seen)
    between = _between(model, entry, effects)
    coordinates = _coordinates(model, effects)
    site = _site(model, entry, effects)
    moved = tuple(_place(effects, n, "mixture") for n in entry.mixture.of) if entry.mixture else ()
    statement = Statement(
        type(model), tuple(sorted(model.values.items())), estimated, _logs(model, estimated, effects), effects, between,
        _between_occasions(model, effects), site, coordinates,
        along=(), classes=entry.mixture.classes if entry.mixture else 1, moved=moved,
    )  # fmt: skip
    names = tuple(one.parameter for one in coordinates)
    prior = Prior(model, names, np.eye(len(names)), np.ones(len(names)), {})
    target = Target(model, people, prior, **how)  # type: ignore[arg-type]
    along, told = _find_dependence(statement, target, people)
    statement = statement.but(along=along, told=told)
    x = statement.pack(_begin(statement, entry))
    floor = statement.floors(x, math.log(_LEAST))
    return Sky(target, statement, _find_summed(target, along), floor, sites_of(model, people, entry)), x


def without_effects(sky: Sky, x: np.ndarray, entry: FitEntry, left: Sequence[str]) -> tuple[Sky, np.ndarray]:
    """The same patients with effects `left` alone, from the other numbers of a vector.

    Where patients hardly differ in a parameter, draws lie so close together that its typical value cannot move on.
    """
    before = sky.statement
    correlated = entry.correlated
    if isinstance(correlated, list):
        correlated = [kept for group in correlated if (kept := [n for n in group if n in left])]
    estimate = [*entry.estimate, *(n for n in before.effects if n not in left and n in before.estimated)]
    fewer = entry.model_copy(update={"effects": list(left), "correlated": correlated, "estimate": estimate})
    found, _ = build_sky(before.model, sky.target.patients, fewer, **sky.target.how)
    numbers = numbers_of(before, x)
    own = [before.effects.index(n) for n in found.statement.effects]
    grid = np.ix_(own, own)
    kept = Numbers(
        numbers.typical, numbers.omega[grid], numbers.gamma[grid], numbers.site[grid], numbers.shift[:, own],
        numbers.share,
    )  # fmt: skip
    return found, found.statement.pack(kept)


def _require_measured(people: Sequence[BoundPatient]) -> list[BoundPatient]:
    for one in people:
        if one.chances:
            name = next(iter(one.chances))
            raise TwinError(f"patient '{one.id}': covariate '{name}' is not certain; a fit needs its value")
        if not one.observations:
            raise TwinError(f"patient '{one.id}': has no measurements, and so says nothing; leave this patient out")
    return list(people)


def _effects(model: DiseaseModel, entry: FitEntry) -> tuple[str, ...]:
    """Parameters that differ between patients or occasions, in the order of the model."""
    declared = model.parameters()
    kappas = {name for several in model.occasions.values() for name in several}
    possible = [n for n, p in declared.items() if p.spread is not None and n not in kappas]
    chosen = possible if entry.effects is None else entry.effects
    for name in chosen:
        if name not in declared:
            raise TwinError(f"fit, effects: no parameter '{name}'; {suggest(name, possible)}")
        spread = declared[name].spread
        if spread is None or spread.normal_sd is None:
            what = "no spread" if spread is None else f"a spread ({spread.describe()}) that is normal on no scale"
            raise TwinError(f"fit, effects: '{name}' has {what}; leave it out, or extend the model")
    found = tuple(n for n in declared if n in chosen or n in model.occasions)
    if not found:
        raise TwinError(
            f"model '{model.name}' has no parameter that differs between patients, so nothing is to be fitted"
        )
    for name in found:
        if declared[name].spread is None:
            raise TwinError(f"fit: '{name}' has occasions but no spread between patients; give it one, or fix it")
    return found


def _list_estimated(
    model: DiseaseModel, entry: FitEntry, effects: tuple[str, ...], seen: Iterable[str]
) -> tuple[str, ...]:  # fmt: skip
    """Typical values, coefficients and errors that are estimated, in the order of the model."""
    declared, typical = model.parameters(), model.typical()
    for word, names in (("estimate", entry.estimate), ("fix", entry.fix), ("fix_spread", entry.fix_spread)):
        for name in names:
            if name not in declared:
                raise TwinError(f"fit, {word}: no parameter '{name}'; {suggest(name, declared)}")
    noises = [model.observables()[name].noise for name in seen]
    errors = {n for noise in noises if noise is not None for n in noise.parameters}
    errors = {n for n in errors if float(getattr(typical, n)) != 0.0 or n in entry.estimate}
    coefficients = {n for several in model.covariate_effects.values() for n in several}
    chosen = ({*effects, *errors, *coefficients} | set(entry.estimate)) - set(entry.fix)
    return tuple(n for n in declared if n in chosen)


def _logs(model: DiseaseModel, estimated: tuple[str, ...], effects: tuple[str, ...]) -> tuple[bool, ...]:
    """Which values are positive and stand as logarithms: all but coefficients of covariates, and what is not."""
    coefficients = {n for several in model.covariate_effects.values() for n in several}
    return tuple(
        n not in effects and n not in coefficients and float(getattr(model.typical(), n)) > 0 for n in estimated
    )


def _place(effects: tuple[str, ...], name: str, word: str) -> int:
    if name not in effects:
        raise TwinError(f"fit, {word}: '{name}' does not differ between patients; {suggest(name, effects)}")
    return effects.index(name)


def _between(model: DiseaseModel, entry: FitEntry, effects: tuple[str, ...]) -> Level:
    declared = model.parameters()
    fixed = [_place(effects, n, "fix_spread") for n in entry.fix_spread]
    free = [i for i in range(len(effects)) if i not in fixed]
    if entry.correlated == "all":
        groups = [free]
    elif entry.correlated is None:
        groups = _join_pairs(free, [(effects.index(a), effects.index(b)) for a, b in model.normal_correlations()
                                if a in effects and b in effects])  # fmt: skip
    else:
        told = [[_place(effects, n, "correlated") for n in group] for group in entry.correlated]
        if len({i for group in told for i in group}) < sum(map(len, told)):
            raise TwinError("fit, correlated: a parameter stands in two groups; join them")
        if bad := [effects[i] for group in told for i in group if i in fixed]:
            raise TwinError(f"fit, correlated: the spread of '{bad[0]}' is fixed; take it out of one of the two")
        groups = [sorted(g) for g in told] + [[i] for i in free if not any(i in g for g in told)]
    held = tuple((i, float(declared[effects[i]].spread.normal_sd) ** 2) for i in fixed)  # type: ignore[union-attr, arg-type]
    return Level(tuple(tuple(g) for g in sorted(groups) if g), held)


def _join_pairs(free: list[int], pairs: list[tuple[int, int]]) -> list[list[int]]:
    """Groups that pairs join."""
    groups = [{i} for i in free]
    for a, b in pairs:
        both = [g for g in groups if a in g or b in g]
        if a in free and b in free:
            groups = [g for g in groups if g not in both] + [set().union(*both)]
    return [sorted(g) for g in groups]


def _between_occasions(model: DiseaseModel, effects: tuple[str, ...]) -> Level:
    """Blocks of the effects with occasions, as the extension correlates them."""
    own = [i for i, n in enumerate(effects) if n in model.occasions]
    first = {several[0]: effects.index(n) for n, several in model.occasions.items()}
    pairs = [(first[a], first[b]) for a, b in model.normal_correlations() if a in first and b in first]
    return Level(tuple(tuple(g) for g in sorted(_join_pairs(own, pairs))))


def _site(model: DiseaseModel, entry: FitEntry, effects: tuple[str, ...]) -> Level:
    if entry.sites is None:
        return Level()
    if entry.sites.by not in model.covariates():
        known = suggest(entry.sites.by, model.covariates())
        raise TwinError(f"fit, sites: the model knows no covariate '{entry.sites.by}'; {known}")
    places = [_place(effects, n, "sites") for n in entry.sites.of]
    return Level((tuple(sorted(places)),) if entry.sites.correlated else tuple((i,) for i in sorted(places)))


def sites_of(model: DiseaseModel, people: Sequence[BoundPatient], entry: FitEntry) -> tuple[float, ...]:
    """Which site each patient belongs to; nothing where a fit has no sites."""
    for one in people if entry.sites else ():
        if entry.sites.by in one.assumed:
            raise TwinError(f"patient '{one.id}': '{entry.sites.by}' is not given, and says the site; give it")
    return tuple(one.covariates[entry.sites.by] for one in people) if entry.sites else ()


def _coordinates(model: DiseaseModel, effects: tuple[str, ...]) -> tuple[Coordinate, ...]:
    found = []
    for i, name in enumerate(effects):
        several = model.occasions.get(name)
        found += [Coordinate(i, k, own) for k, own in enumerate(several, 1)] if several else [Coordinate(i, 0, name)]
    return tuple(found)


def _begin(statement: Statement, entry: FitEntry) -> Numbers:
    """The model's own numbers."""
    model, size = statement.model, len(statement.effects)
    declared, typical = model.parameters(), model.typical()
    for name in statement.estimated:
        if not np.isfinite(float(statement.to_number(name, jnp.asarray(float(getattr(typical, name)))))):
            raise TwinError(
                f"fit: '{name}' begins at {getattr(typical, name):g}, from where it cannot be moved; change it"
            )
    sds = np.array([declared[n].spread.normal_sd for n in statement.effects])  # type: ignore[union-attr]
    omega, gamma = np.diag(sds**2), np.zeros((size, size))
    for (a, b), value in model.normal_correlations().items():
        if a in statement.effects and b in statement.effects:
            i, j = statement.effects.index(a), statement.effects.index(b)
            if any(i in block and j in block for block in statement.between.blocks):
                omega[i, j] = omega[j, i] = value * sds[i] * sds[j]
    for name, several in model.occasions.items():
        i = statement.effects.index(name)
        gamma[i, i] = declared[several[0]].spread.normal_sd ** 2  # type: ignore[union-attr, operator]
    site = np.diag([_SITE * omega[i, i] if i in statement.site.effects else 0.0 for i in range(size)])
    shift = np.zeros((statement.classes, size))
    for c in range(1, statement.classes):
        shift[c, list(statement.moved)] = _CLASS * c * sds[list(statement.moved)]
    share = np.full(statement.classes, -np.log(statement.classes))
    values = {n: float(getattr(typical, n)) for n in declared}
    return Numbers(values, omega, gamma, site, shift, share)  # type: ignore[arg-type]


def _find_summed(target: Target, along: tuple[str, ...]) -> tuple[str, ...]:
    """Observables whose errors are all multiples of one number, of which sums say everything."""
    if along:
        return ()
    limited = {name for name in target.seen if np.any(target.data.read[name].bound != 0)}
    return tuple(n for n in target.seen if target.noise(n).scale is not None and n not in limited)


# --- what courses depend on --------------------------------------------------------------------------------------


def _find_dependence(
    statement: Statement, target: Target, people: Sequence[BoundPatient]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Estimated values that move a course whose coordinates stay where they are; these and those that move errors."""
    rows, owner = _signal_rows(statement.model, people)
    with jax.enable_x64(True):
        slopes = jax.tree.map(np.asarray, _slopes_of(statement, rows))
    sizes = {n for name in target.seen for n in target.noise(name).parameters}
    beside = sizes - {n for name in target.seen for n in target.noise(name).drives}
    beside |= {n for several in statement.model.covariate_effects.values() for n in several}
    first = np.r_[True, owner[1:] != owner[:-1]]
    start = np.maximum.accumulate(np.where(first, np.arange(len(owner)), 0))
    found, told = [], []
    for j, name in enumerate(statement.estimated):
        told += [name] if any(np.any(np.abs(slopes[n][:, j]) > _SAME) for n in sizes) else []
        plain = {n: v[:, j] for n, v in slopes.items() if n not in statement.effects and n not in beside}
        apart = [v[:, j] - v[start, j] for n, v in slopes.items() if n in statement.effects]
        if any(np.any(np.abs(v) > _SAME) for v in plain.values()) or any(np.any(np.abs(v) > _SAME) for v in apart):
            found.append(name)
    return tuple(found), tuple(n for n in statement.estimated if n in {*found, *told})


@careful
def _slopes_of(statement: Statement, rows: jax.Array) -> dict[str, jax.Array]:
    """How a typical person's parameters move with the estimated values (row, value), effects on their normal scale."""
    declared = statement.model.parameters()
    start = jnp.stack([
        jnp.asarray(statement.to_number(n, jnp.asarray(getattr(statement.model.typical(), n), float)))
        for n in statement.estimated
    ])  # fmt: skip

    def at(x: jax.Array, row: jax.Array) -> dict[str, jax.Array]:
        full = jnp.concatenate([x, jnp.zeros(statement.size - len(x))])
        person = statement.typical_person(statement.numbers(full), row)
        found = {}
        for name, one in declared.items():
            value = jnp.asarray(getattr(person, name), float)
            effect = name in statement.effects and one.spread is not None
            found[name] = one.spread.to_normal(value) if effect else value  # type: ignore[union-attr]
        return found

    return jax.vmap(lambda row: jax.jacfwd(at)(start, row))(rows)


def _signal_rows(model: DiseaseModel, people: Sequence[BoundPatient]) -> tuple[np.ndarray, np.ndarray]:
    """Every set of covariates that a patient has over time, and whose it is."""
    inputs = [float(one.default) for one in model.inputs().values()]
    rows, owner = [], []
    for i, one in enumerate(people):
        now = dict(one.covariates)
        changes = sorted((t, n, v) for n in one.series if n in now for t, v in one.series[n])
        several = {tuple(now.values()): None}
        for _, name, value in changes:
            now[name] = value
            several[tuple(now.values())] = None
        names = list(one.covariates)
        for values in several:
            table = dict(zip(names, values, strict=True))
            rows.append([*(table[n] for n in model.covariates()), *inputs])
            owner.append(i)
    return np.array(rows, float).reshape(len(rows), -1), np.array(owner)
