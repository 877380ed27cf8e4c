"""Occasions in posteriors: conjugate closed forms, and NONMEM's modes of a published fit."""

from __future__ import annotations

import csv

import equinox as eqx
import numpy as np
import pytest

import calibration
import twin
from twin.ingest import nonmem
from twin.model import (
    Additive,
    Delivery,
    DiseaseModel,
    Normal,
    Proportional,
    log_normal,
    observable,
    parameter,
    part,
    state,
    treatment,
)
from twin.parts.compartments import OralOneCompartment
from twin.types import Scalar


class LineParameters(eqx.Module):
    level: Scalar = parameter(10.0, "1", "level", spread=Normal(2.0))
    error: Scalar = parameter(0.5, "1", "error")


class Nothing(eqx.Module):
    still: Scalar = state("1", "nothing happens")


class Line(DiseaseModel):
    """A level that is read with a normal error."""

    name, title, time_unit = "toy_line", "a level", "day"
    State, Parameters = Nothing, LineParameters

    def derivatives(self, t, y, p):
        return Nothing(0.0 * y.still)

    @observable(unit="1", noise=Additive("error"))
    def seen(self, t, y, p):
        return p.level + y.still


READ = {1.0: 12.0, 3.0: 12.8, 11.0: 9.1, 12.0: 9.6, 13.0: 8.8, 31.0: 11.0}
BEGINS = (0.0, 10.0, 20.0, 30.0)  # nothing was read in the third


def test_the_posterior_over_occasions_is_the_conjugate_one():
    """Of the usual level and the deviations of four occasions: means and standard deviations of a normal distribution.

    4,000 draws weighted to no less than a quarter: 4 standard errors of a mean are 0.13 standard deviations, and of a
    standard deviation 9 %.
    """
    model = twin.extend(Line(), occasions={"level": {"sd": 1.0}}, count=4)
    ana = twin.Patient("ana", occasions=BEGINS, observations=[twin.Observation("seen", t, v) for t, v in READ.items()])
    found = calibration.calibrate(model, ana, draws=4000)
    names = ["level", *model.occasions["level"]]
    of = np.zeros((len(READ), 5))
    of[:, 0] = 1
    of[np.arange(len(READ)), np.searchsorted(BEGINS, list(READ), "right")] = 1
    prior = np.diag([1 / 4.0, 1, 1, 1, 1])
    precision = prior + of.T @ of / 0.25
    mean = np.linalg.solve(precision, of.T @ (np.array(list(READ.values())) - 10) / 0.25) + 10 * np.eye(5)[0]
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    assert found.verdict == ("trusted",)
    for i, name in enumerate(names):
        draws = found.parameters[name][0]
        assert draws.mean() == pytest.approx(mean[i], abs=0.13 * sd[i]), name
        assert draws.std() == pytest.approx(sd[i], rel=0.09), name
    best = calibration.calibrate(model, ana, method="map")
    for i, name in enumerate(names):
        assert best.parameters[name][0].mean() == pytest.approx(mean[i], abs=1e-5), name  # of the climb


# --- warfarin, two occasions --------------------------------------------------------------------------


class OralParameters(eqx.Module):
    """NONMEM's FOCEI estimates (SOURCE.md of the data)."""

    clearance: Scalar = parameter(0.172776, "L/h", "clearance", spread=log_normal(variance=0.0399349))
    volume: Scalar = parameter(8.62821, "L", "volume", spread=log_normal(variance=0.0107782))
    absorption: Scalar = parameter(1.17856, "1/h", "absorption rate", spread=log_normal(variance=0.0254197))
    error: Scalar = parameter(0.188116, "1", "proportional error")


class OralState(eqx.Module):
    drug: OralOneCompartment = part(OralOneCompartment, "mg", "drug")


class Warfarin(DiseaseModel):
    name, title, time_unit = "warfarin_iov", "oral one-compartment kinetics", "h"
    State, Parameters, linear = OralState, OralParameters, ("drug",)

    def derivatives(self, t, y, p):
        return OralState(y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume))

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=Proportional("error"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


GAMMA2 = 0.0357084


@pytest.fixture(scope="module")
def warfarin(shared_data):
    folder = shared_data / "population" / "pop_warfarin_iov"
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}")
    with (folder / "nonmem_cl_by_occasion.csv").open() as file:
        rows = list(csv.DictReader(file))
    return folder / "warfarin_iov.csv", {(r["ID"], int(r["OCC"])): float(r["CL"]) for r in rows}


def _modes(model, path):
    table, _ = nonmem.read_table(path, keep_ids=True)
    people, _ = table.bind(model, {"column DV": "concentration", "column AMT": "oral"})
    return people, calibration.calibrate(model, people, method="map").parameters


def test_the_modes_of_clearance_by_occasion_are_those_of_nonmem(warfarin):
    path, printed = warfarin
    model = twin.extend(Warfarin(), occasions={"clearance": {"variance": GAMMA2}}, count=2)
    people, found = _modes(model, path)
    worst = 0.0
    for i, one in enumerate(people):
        assert one.occasions == (0.0, 120.0)
        for k, name in enumerate(model.occasions["clearance"], start=1):
            log = np.log(found["clearance"][i].mean()) + found[name][i].mean()
            worst = max(worst, abs(log - np.log(printed[one.id, k])))
    assert worst < 2e-3  # the data's pass rule; NONMEM prints five digits


@pytest.mark.parametrize("without", ["kappas", "two of them"])
def test_without_kappas_or_with_one_for_both_they_are_not(warfarin, without):
    path, printed = warfarin
    if without == "kappas":
        people, found = _modes(Warfarin(), path)
        logs = np.log(found["clearance"].mean(1))
    else:
        model = twin.extend(Warfarin(), occasions={"clearance": {"variance": GAMMA2}})
        with pytest.raises(twin.TwinError, match="2 occasions and the model 1"):
            _modes(model, path)
        usual = twin.renew(Warfarin(), sds={"clearance": np.sqrt(0.0399349 + GAMMA2)})
        people, found = _modes(usual, path)
        logs = np.log(found["clearance"].mean(1))
    off = [abs(logs[i] - np.log(printed[one.id, k])) for i, one in enumerate(people) for k in (1, 2)]
    assert np.median(off) > 0.02  # ten times what is allowed
