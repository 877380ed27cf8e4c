"""The published data as patients of the models in `models`; where a file is NONMEM's, by the reader that scenarios use.

A file whose TIME restarts at a reset (EVID 4) is read by hand: what follows the reset comes `GAP` later, when nothing
of the drug is left, since a patient's own history holds no reset. `GAP` is over 40 half-lives of the slowest typical
phase of propofol (400 min) and over 100 of the sites' drug (12 h): below 1e-12 of a dose is carried over.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import twin
from tests.calibration.models import rows
from twin.ingest import read_patients
from twin.patient import Change, DoseRecord, Observation, Patient, Series

from . import models

GAP = {"propofol": 20_000.0, "sites": 1500.0}


def nonmem(path: Path, model: twin.model.DiseaseModel, **columns: str) -> list[Patient]:
    """Patients of a NONMEM table: CMT 1 is dosed and measured, `columns` are covariates."""
    mapping = {"cmt 1": {"to": ["oral", "concentration"]}}
    mapping |= {f"column {column}": name for column, name in columns.items()}
    return read_patients("nonmem", path, model, mapping=mapping, keep_ids=True, time_unit="h")[0]


def warfarin10(data: Path) -> list[Patient]:
    return nonmem(data / "population/pop_warfarin10/warfarin.csv", models.Warfarin10())


def warfarin_m3(data: Path) -> list[Patient]:
    """Ten of the readings are '<2'."""
    return nonmem(data / "population/pop_warfarin_m3/warfarin_bloq.csv", models.Warfarin10())


def warfarin_iov(data: Path) -> list[Patient]:
    """With two occasions; what is read at the second dose belongs to the first."""
    path = data / "population/pop_warfarin_iov/warfarin_iov.csv"
    return nonmem(path, models.WarfarinTwice())


def warfarin_by_occasion(data: Path) -> list[Patient]:
    """The same for a model with a covariate `occasion` of its own."""
    return [
        dataclasses.replace(
            one, occasions=(), covariates={"occasion": Series([Change(t, k) for k, t in enumerate(one.occasions, 1)])}
        )
        for one in warfarin_iov(data)
    ]


def _groups(table: Sequence[dict[str, str]], column: str) -> list[list[dict[str, str]]]:
    """The rows of each person, in the file's order."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in table:
        found.setdefault(row[column], []).append(row)
    return list(found.values())


def _without_restarts(own: Sequence[dict[str, str]], gap: float) -> list[tuple[float, dict[str, str]]]:
    """The rows of a person with times that go on at a reset, `gap` after those of the occasion before."""
    occasion, found = -1, []
    for row in own:
        occasion += row["EVID"] == "4" or occasion < 0
        found.append((occasion * gap + float(row["TIME"]), row))
    return found


def propofol(data: Path) -> list[Patient]:
    """24 people, two occasions each."""
    people = []
    for own in _groups(rows(data / "population/pop_propofol_schnider/schnider_propofol.csv"), "ID"):
        timed, first = _without_restarts(own, GAP["propofol"]), own[0]
        known = {"weight": float(first["WT"]), "age": float(first["AGE"]), "height": float(first["HT"])}
        doses = [
            DoseRecord(f"{r['AMT']} mg", t, over=float(r["AMT"]) / float(r["RATE"]))
            for t, r in timed
            if r["EVID"] != "0"
        ]
        seen = [Observation("concentration", t, float(r["DV"])) for t, r in timed if r["EVID"] == "0"]
        sex = {"1": "male", "2": "female"}[first["M1F2"]]
        people.append(Patient(first["ID"], covariates=known | {"sex": sex}, doses=doses, observations=seen))
    return people


def sites(data: Path, *, occasions: bool = False) -> list[Patient]:
    """200 people of 20 sites, three occasions each; `occasions`: with the covariate that an extended model has."""
    people = []
    for own in _groups(rows(data / "population/pop_sites_iov/sites_iov.csv"), "ID"):
        timed = _without_restarts(own, GAP["sites"])
        doses = [DoseRecord(f"{r['AMT']} mg", t) for t, r in timed if r["EVID"] != "0"]
        seen = [Observation("concentration", t, float(r["DV"])) for t, r in timed if r["EVID"] == "0"]
        begins = [Change(t, float(r["OCC"])) for t, r in timed if r["EVID"] != "0"]
        known = {"occasion": Series(begins)} if occasions else {}
        people.append(Patient(own[0]["ID"], covariates=known, doses=doses, observations=seen))
    return people


def sites_of(data: Path) -> dict[str, str]:
    """Each patient's site."""
    return {row["ID"]: row["SITE"] for row in rows(data / "population/pop_sites_iov/sites_iov.csv")}


def rats(data: Path) -> list[Patient]:
    told = json.loads((data / "population/pop_rats/rats.data.json").read_text())
    return [
        Patient(
            str(i),
            observations=[Observation("measured", float(x), float(y)) for x, y in zip(told["x"], own, strict=True)],
        )
        for i, own in enumerate(told["y"], start=1)
    ]


def orange(data: Path) -> list[Patient]:
    told = json.loads((data / "population/pop_orange/orange.data.json").read_text())
    return [
        Patient(
            str(i),
            observations=[
                Observation("circumference", float(x), float(y)) for x, y in zip(told["x"], own, strict=True)
            ],
        )
        for i, own in enumerate(told["Y"], start=1)
    ]


def _events(path: Path) -> list[Patient]:
    return [
        Patient(row["ID"], observations=[Observation("event", float(row["TIME"]), float(row["DV"]))])
        for row in rows(path)
    ]


def exponential(data: Path) -> list[Patient]:
    return _events(data / "population/pop_frailty_tte/tte_exp.csv")


def weibull(data: Path) -> list[Patient]:
    return _events(data / "population/pop_frailty_tte/tte_weibull.csv")


def eight_schools(data: Path) -> list[Patient]:
    """One result a school; a course needs some length, so at time 1."""
    told = json.loads((data / "population/pop_eight_schools/data.json").read_text())
    return [
        Patient(name, covariates={"standard_error": float(error)}, observations=[Observation("result", 1.0, float(y))])
        for name, y, error in zip("ABCDEFGH", told["y"], told["sigma"], strict=True)
    ]


def cells(data: Path) -> list[Patient]:
    """50 cells with 180 values each; the mRNA is given at 0 and enters after the cell's own lag."""
    people = []
    for own in _groups(rows(data / "population/pop_mrna_cells/cells50.csv"), "id"):
        seen = [Observation("brightness", float(r["time"]), float(r["y"])) for r in own]
        people.append(Patient(own[0]["id"], doses=[DoseRecord("1", 0.0)], observations=seen))
    return people


def cells_of_time(data: Path) -> list[Patient]:
    """The same for the model that is a function of time, which takes no dose."""
    return [Patient(one.id, observations=one.observations) for one in cells(data)]
