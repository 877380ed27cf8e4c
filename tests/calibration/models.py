"""Models of other people's examples, written as a user would write them, outside the library."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp

from twin.model import (
    Additive,
    Category,
    Combined,
    CombinedSum,
    Delivery,
    DiseaseModel,
    LogNormal,
    LogNormalNoise,
    Proportional,
    category,
    covariate,
    log_normal,
    observable,
    parameter,
    part,
    state,
    treatment,
)
from twin.parts.compartments import OralOneCompartment, OralTwoCompartment, TwoCompartment
from twin.patient import DoseRecord, Observation, Patient
from twin.types import Scalar


class OralParameters(eqx.Module):
    clearance: Scalar = parameter(4.0, "L/h", "clearance", spread=log_normal(variance=0.2))
    volume: Scalar = parameter(70.0, "L", "volume", spread=log_normal(variance=0.2))
    absorption: Scalar = parameter(1.0, "1/h", "absorption rate", spread=log_normal(variance=0.2))
    error: Scalar = parameter(math.sqrt(0.05), "1", "proportional error")


class Oral(DiseaseModel):
    """One compartment after an oral dose, proportional error: mapbayr's examplinib."""

    name, title, time_unit = "examplinib", "oral one-compartment kinetics", "h"
    Parameters, linear = OralParameters, ("drug",)

    class State(eqx.Module):
        drug: OralOneCompartment = part(OralOneCompartment, "mg", "drug")

    def derivatives(self, t, y, p):
        return self.State(y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume))

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=Proportional("error"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


class LogOral(Oral):
    """The same, with log-normal error: workload W4."""

    name = "w4"

    class Parameters(eqx.Module):
        clearance: Scalar = parameter(10.0, "L/h", "clearance", spread=LogNormal(0.5))
        volume: Scalar = parameter(50.0, "L", "volume", spread=LogNormal(0.5))
        absorption: Scalar = parameter(1.0, "1/h", "absorption rate", spread=LogNormal(0.5))
        error: Scalar = parameter(0.2, "1", "log-normal error")

    @observable(unit="mg/L", noise=LogNormalNoise("error"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


W4_PRIORS = {"error": {"half_normal": {"scale": 0.5}}}


class TorstenParameters(eqx.Module):
    clearance: Scalar = parameter(10.0, "L/h", "clearance", spread=LogNormal(0.25))
    exchange: Scalar = parameter(15.0, "L/h", "exchange", spread=LogNormal(0.5))
    volume: Scalar = parameter(35.0, "L", "central volume", spread=LogNormal(0.25))
    peripheral_volume: Scalar = parameter(105.0, "L", "peripheral volume", spread=LogNormal(0.5))
    absorption: Scalar = parameter(2.5, "1/h", "absorption rate", spread=LogNormal(1.0))
    error: Scalar = parameter(0.1, "1", "log-normal error")


class Torsten(DiseaseModel):
    name, title, time_unit = "torsten", "oral two-compartment kinetics", "h"
    Parameters, linear = TorstenParameters, ("drug",)

    class State(eqx.Module):
        drug: OralTwoCompartment = part(OralTwoCompartment, "ug", "drug")

    def derivatives(self, t, y, p):
        rates = y.drug.rates(
            absorption=p.absorption, clearance=p.clearance, volume=p.volume, exchange=p.exchange,
            peripheral_volume=p.peripheral_volume,
        )  # fmt: skip
        return self.State(rates)

    @treatment(unit="ug", into="drug.depot")
    def oral(self, p):
        return Delivery()

    @observable(unit="ug/L", noise=LogNormalNoise("error"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


class PreyParameters(eqx.Module):
    alpha: Scalar = parameter(1.0, "1/year", "growth of hares")
    beta: Scalar = parameter(0.05, "1/year", "hares taken by a lynx")
    gamma: Scalar = parameter(1.0, "1/year", "death of lynx")
    delta: Scalar = parameter(0.05, "1/year", "growth of lynx by a hare")
    hares: Scalar = parameter(10.0, "1", "hares at the start")
    lynxes: Scalar = parameter(10.0, "1", "lynx at the start")
    hare_error: Scalar = parameter(0.4, "1", "log-normal error")
    lynx_error: Scalar = parameter(0.4, "1", "log-normal error")


class LynxHare(DiseaseModel):
    name, title, time_unit = "lynx_hare", "predator and prey", "year"
    Parameters = PreyParameters

    class State(eqx.Module):
        u: Scalar = state("1", "hares")
        v: Scalar = state("1", "lynx")

    def initial(self, p):
        return self.State(p.hares, p.lynxes)

    def derivatives(self, t, y, p):
        return self.State((p.alpha - p.beta * y.v) * y.u, (-p.gamma + p.delta * y.u) * y.v)

    @observable(unit="1", noise=LogNormalNoise("hare_error"))
    def hare(self, t, y, p):
        return y.u

    @observable(unit="1", noise=LogNormalNoise("lynx_error"))
    def lynx(self, t, y, p):
        return y.v


_RATE = {"positive_normal": {"mean": 1.0, "sd": 0.5}}
_MEETING = {"positive_normal": {"mean": 0.05, "sd": 0.05}}
_START = {"log_normal": {"median": 10.0, "sd": 1.0}}
_SIGMA = {"log_normal": {"median": math.exp(-1), "sd": 1.0}}
LYNX_PRIORS = {
    "alpha": _RATE, "beta": _MEETING, "gamma": _RATE, "delta": _MEETING, "hares": _START, "lynxes": _START,
    "hare_error": _SIGMA, "lynx_error": _SIGMA,
}  # fmt: skip


class TobramycinParameters(eqx.Module):
    elimination: Scalar = parameter(0.21, "1/h", "elimination rate", spread=log_normal(variance=0.08075))
    volume: Scalar = parameter(19.8, "L", "central volume", spread=log_normal(variance=0.01203))
    error: Scalar = parameter(0.198, "1", "proportional error")


class TobramycinCovariates(eqx.Module):
    creatinine_clearance: Scalar = covariate(67.8, "mL/min", "creatinine clearance")
    weight: Scalar = covariate(66.4, "kg", "weight")


class Tobramycin(DiseaseModel):
    name, title, time_unit = "tobramycin", "two-compartment kinetics by rate constants", "h"
    Parameters, Covariates, linear = TobramycinParameters, TobramycinCovariates, ("drug",)

    class State(eqx.Module):
        drug: TwoCompartment = part(TwoCompartment, "mg", "drug")

    def individual(self, p, c):
        return TobramycinParameters(
            elimination=p.elimination * (c.creatinine_clearance / 67.8) ** 0.89 * (c.weight / 66.4) ** -1.09,
            volume=p.volume * (c.weight / 66.4) ** 0.80,
            error=p.error,
        )

    def derivatives(self, t, y, p):
        rates = y.drug.rates(
            clearance=p.elimination * p.volume, volume=p.volume, exchange=0.041 * p.volume,
            peripheral_volume=0.041 / 0.12 * p.volume,
        )  # fmt: skip
        return self.State(rates)

    @treatment(unit="mg", into="drug.central")
    def infusion(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=Proportional("error"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


class TheophyllineParameters(eqx.Module):
    absorption: Scalar = parameter(1.53264420692351, "1/h", "absorption rate", spread=LogNormal(0.67105477569176))
    volume: Scalar = parameter(0.455503642172079, "L", "volume", spread=LogNormal(0.126281479740844))
    clearance: Scalar = parameter(0.0401723641322292, "L/h", "clearance", spread=LogNormal(0.27062337275905))
    additive: Scalar = parameter(0.433279557549051, "mg/L", "additive error")
    proportional: Scalar = parameter(0.0542595276206251, "1", "proportional error")


class Theophylline(DiseaseModel):
    """Boeckmann, Sheiner & Beal's data by Monolix's population parameters; amounts and volumes are those of a kg."""

    name, title, time_unit = "theophylline", "oral one-compartment kinetics", "h"
    Parameters, linear = TheophyllineParameters, ("drug",)

    class State(eqx.Module):
        drug: OralOneCompartment = part(OralOneCompartment, "mg", "drug")

    def derivatives(self, t, y, p):
        return self.State(y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume))

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=CombinedSum(additive="additive", proportional="proportional"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


class WarfarinParameters(eqx.Module):
    lag: Scalar = parameter(0.764322535850091, "h", "lag", spread=LogNormal(0.605115662973185))
    absorption: Scalar = parameter(1.45620698534217, "1/h", "absorption rate", spread=LogNormal(1.08210228973354))
    volume: Scalar = parameter(7.96019644663432, "L", "volume", spread=LogNormal(0.222522809015499))
    clearance: Scalar = parameter(0.132481552644036, "L/h", "clearance", spread=LogNormal(0.286211422517007))
    additive: Scalar = parameter(0.247145876284213, "mg/L", "additive error")
    proportional: Scalar = parameter(0.0503195895352995, "1", "proportional error")


class Warfarin(Theophylline):
    """O'Reilly's warfarin concentrations by Monolix's population parameters w1: the same with a lag."""

    name, title = "oreilly", "oral one-compartment kinetics with a lag"
    Parameters = WarfarinParameters

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery(lag=p.lag)


class BySexParameters(eqx.Module):
    lag: Scalar = parameter(0.771438750805779, "h", "lag", spread=LogNormal(0.61940678586983))
    absorption: Scalar = parameter(1.42775873640368, "1/h", "absorption rate", spread=LogNormal(0.992834041241909))
    volume: Scalar = parameter(8.46609504205801, "L", "volume", spread=LogNormal(0.166818280322244))
    clearance: Scalar = parameter(0.134437806143132, "L/h", "clearance", spread=LogNormal(0.285345299602576))
    additive: Scalar = parameter(0.24818990819019, "mg/L", "additive error")
    proportional: Scalar = parameter(0.0508665778176092, "1", "proportional error")


class BySexCovariates(eqx.Module):
    sex: Category = category("male", ("male", "female"), "sex")


class WarfarinBySex(Warfarin):
    """The same with sex on volume and clearance: w3."""

    name = "oreilly_by_sex"
    Parameters, Covariates = BySexParameters, BySexCovariates

    def individual(self, p, c):
        female = c.sex.is_("female")
        return BySexParameters(
            p.lag, p.absorption, p.volume * jnp.exp(-0.382278567256413 * female),
            p.clearance * jnp.exp(-0.0938365059053137 * female), p.additive, p.proportional,
        )  # fmt: skip


class AnticoagulantParameters(eqx.Module):
    """nlmixr's typical values; the spreads are our assumption, as the source leaves them out."""

    transit: Scalar = parameter(math.exp(0.106), "1/h", "rate from depot to gut", spread=LogNormal(0.7))
    absorption: Scalar = parameter(math.exp(-0.087), "1/h", "rate from gut to blood", spread=LogNormal(0.7))
    clearance: Scalar = parameter(math.exp(-2.03), "L/h", "clearance", spread=LogNormal(0.3))
    volume: Scalar = parameter(math.exp(2.07), "L", "volume", spread=LogNormal(0.25))
    half_effect: Scalar = parameter(
        math.exp(0.00724), "mg/L", "concentration of half the effect", spread=LogNormal(0.4)
    )
    loss: Scalar = parameter(math.exp(-2.9), "1/h", "loss of activity", spread=LogNormal(0.2))
    baseline: Scalar = parameter(math.exp(4.57), "%", "activity without warfarin", spread=LogNormal(0.1))
    largest: Scalar = parameter(1 / (1 + math.exp(-3.4)), "1", "largest inhibition")
    additive: Scalar = parameter(0.144, "mg/L", "additive error")
    proportional: Scalar = parameter(0.15, "1", "proportional error")
    activity_error: Scalar = parameter(3.91, "%", "error of activity")


class Anticoagulant(DiseaseModel):
    """O'Reilly's concentrations and prothrombin complex activity: transit absorption and turnover of activity."""

    name, title, time_unit = "anticoagulant", "warfarin and prothrombin complex activity", "h"
    Parameters = AnticoagulantParameters

    class State(eqx.Module):
        depot: Scalar = state("mg", "depot")
        gut: Scalar = state("mg", "gut")
        central: Scalar = state("mg", "blood")
        effect: Scalar = state("%", "prothrombin complex activity")

    def initial(self, p):
        return self.State(0.0, 0.0, 0.0, p.baseline)

    def derivatives(self, t, y, p):
        concentration = y.central / p.volume
        inhibited = 1 - p.largest * concentration / (p.half_effect + concentration)
        return self.State(
            depot=-p.transit * y.depot,
            gut=p.transit * y.depot - p.absorption * y.gut,
            central=p.absorption * y.gut - p.clearance / p.volume * y.central,
            effect=p.baseline * p.loss * inhibited - p.loss * y.effect,
        )

    @treatment(unit="mg", into="depot")
    def oral(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=Combined(additive="additive", proportional="proportional"))
    def concentration(self, t, y, p):
        return y.central / p.volume

    @observable(unit="%", noise=Additive("activity_error"))
    def activity(self, t, y, p):
        return y.effect


# --- patients from the public files -------------------------------------------------------------------


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def examplinib(folder: Path) -> list[Patient]:
    table = rows(folder / "map_examplinib" / "data_to_fit001.csv")
    people = []
    for who in sorted({int(r["ID"]) for r in table}):
        own = [r for r in table if int(r["ID"]) == who]
        doses = [
            DoseRecord(f"{r['amt']} mg", float(r["time"]), every=float(r["ii"]) or None, doses=int(r["addl"]) + 1)
            if float(r["ii"])
            else DoseRecord(f"{r['amt']} mg", float(r["time"]))
            for r in own
            if r["evid"] == "1"
        ]
        seen = [Observation("concentration", float(r["time"]), float(r["DV"])) for r in own if r["mdv"] == "0"]
        people.append(Patient(str(who), doses=doses, observations=seen))
    return people


def torsten(folder: Path) -> Patient:
    table = rows(folder / "torsten_two_cpt" / "events.csv")
    seen = [Observation("concentration", float(r["time"]), float(r["cObs"])) for r in table if r["cObs"] != "NA"]
    return Patient("one", doses=[DoseRecord("80000 ug", 0.0, every=12.0, doses=15)], observations=seen)


def lynx_hare(folder: Path) -> Patient:
    data = json.loads((folder / "lynx_hare" / "data.json").read_text())
    seen = []
    for k, name in enumerate(("hare", "lynx")):
        seen.append(Observation(name, 0.0, float(data["y_init"][k])))
        seen += [Observation(name, float(t), float(y[k])) for t, y in zip(data["ts"], data["y"], strict=True)]
    return Patient("Hudson's Bay", observations=seen)


def theophylline(folder: Path) -> list[Patient]:
    table = rows(folder / "theophylline_monolix" / "theophylline_data.csv")
    people = []
    for who in sorted({int(r["ID"]) for r in table}):
        own = [r for r in table if int(r["ID"]) == who]
        doses = [DoseRecord(f"{r['AMT']} mg", float(r["TIME"])) for r in own if r["AMT"] != "."]
        seen = [Observation("concentration", float(r["TIME"]), float(r["CONC"])) for r in own if r["CONC"] != "."]
        people.append(Patient(str(who), doses=doses, observations=seen))
    return people


def tobramycin(folder: Path) -> tuple[Patient, dict[str, float]]:
    told = json.loads((folder / "map_examplinib" / "tobramycin_map.json").read_text())
    one = told["patient"]
    patient = Patient(
        "fictional", covariates={"creatinine_clearance": one["CLCREAT"], "weight": one["WT"]},
        doses=[DoseRecord(f"{one['dose_mg']} mg", 0.0, over=one["infusion_h"])],
        observations=[Observation("concentration", *o) for o in one["observations"]],
    )  # fmt: skip
    return patient, told["our_optimum"]


def warfarin(folder: Path, *, sexes: bool = False, effects: bool = False) -> list[Patient]:
    """O'Reilly's 32 people; their prothrombin complex activity too if `effects`."""
    table, people = rows(folder / "warfarin_pkpd" / "warfarin_data.csv"), []
    names = {"1": "concentration"} | ({"2": "activity"} if effects else {})
    for who in sorted({int(r["id"]) for r in table}):
        own = [r for r in table if int(r["id"]) == who]
        doses = [DoseRecord(f"{r['amt']} mg", float(r["time"])) for r in own if r["amt"] != "."]
        seen = [
            Observation(names[r["dvid"]], float(r["time"]), float(r["dv"]))
            for r in own
            if r["amt"] == "." and r["dv"] != "." and r["dvid"] in names
        ]
        told = {"sex": "female" if own[0]["sex"] == "0" else "male"} if sexes else {}
        people.append(Patient(str(who), covariates=told, doses=doses, observations=seen))
    return people


def closed_form(parameters, times, dose=100.0):
    """The concentration of one compartment after an oral dose."""
    clearance, volume, absorption = parameters
    k = clearance / volume
    return dose / volume * absorption / (absorption - k) * (jnp.exp(-k * times) - jnp.exp(-absorption * times))
