"""twin.nca and `twin nca`: where doses and readings come from, units, and what is refused."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import xarray as xr

import twin
from cli.main import main
from tests.toys import One
from twin.patient.patient import DoseRecord

K, DOSE = 0.1, 100.0  # of the toy: 5 L/h over 50 L
TIMES = [1.0, 2.0, 4.0, 8.0, 12.0]
LEVELS = (DOSE / 50 * np.exp(-K * np.array(TIMES))).tolist()


def person(name="ana", doses="100 mg", **more):
    read = [twin.Observation("concentration", t, v) for t, v in zip(TIMES, LEVELS, strict=True)]
    return twin.Patient(name, doses=doses, observations=more.get("observations", read))


def write(path, *rows):
    path.write_text("\n".join(rows) + "\n")
    return path


TABLE = ["ID,TIME,AMT,DV", "a,0,100,.", *(f"a,{t},.,{v:.12g}" for t, v in zip(TIMES, LEVELS, strict=True))]


# --- where readings come from: the same five, of one bolus ------------------------------------------------


def of_patients(tmp_path):
    return twin.nca(person(), model=One(), route="bolus")


def of_a_table(tmp_path):
    units = {"value": "mg/L", "time": "h", "dose": "mg"}
    return twin.nca(write(tmp_path / "a.csv", *TABLE), route="bolus", units=units)


def of_columns(tmp_path):
    units = {"value": "mg/L", "time": "h"}
    return twin.nca({"time": TIMES, "value": LEVELS}, dose="0.1 g", route="bolus", units=units | {"dose": "mg"})


@pytest.mark.parametrize("ask", [of_patients, of_a_table, of_columns])
def test_every_source_gives_the_same_figures_with_units(ask, tmp_path):
    """The log rule is exact of one compartment; the table says 12 digits."""
    found = ask(tmp_path)
    expected = {
        "clearance": (5.0, "L/h"), "volume_z": (50.0, "L"), "volume_ss": (50.0, "L"), "mrt": (10.0, "h"),
        "half_life": (np.log(2) / K, "h"), "lambda_z": (K, "1/h"), "auc_inf": (20.0, "(mg/L) * h"),
        "aumc_inf": (200.0, "(mg/L) * h^2"), "c0": (2.0, "mg/L"), "lambda_z_points": (5, "1"),
        "auc_inf_per_dose": (0.2, "((mg/L) * h) / (mg)"), "auc_extrapolated": (100 * np.exp(-1.2), "%"),
    }  # fmt: skip
    for name, (value, unit) in expected.items():
        assert float(found[name].squeeze()) == pytest.approx(value, rel=1e-10), name
        assert found[name].attrs["unit"] == unit, name
    assert str(found["reason"].sel(figure="auc_tau").squeeze().values) == "there is no dosing interval"
    assert found["in_lambda_z"].sum() == 5


def test_a_volume_is_in_litres_whatever_its_parts_are_in():
    units = {"value": "ng/mL", "time": "h", "dose": "mg"}
    found = twin.nca({"time": TIMES, "value": np.array(LEVELS) * 1000}, dose=100, route="bolus", units=units)
    assert (float(found["clearance"][0]), found["clearance"].attrs["unit"]) == (pytest.approx(5.0), "L/h")
    found = twin.nca({"time": TIMES, "value": LEVELS}, dose=100, route="bolus")
    assert (float(found["clearance"][0]), found["clearance"].attrs["unit"]) == (pytest.approx(5.0), "")


ARMS = {"once": "100 mg", "often": "100 mg q12h x30"}
BEGINS = 348.0  # the last of the doses: exp(-14) of a slow draw's first is left


@pytest.fixture(scope="module")
def tree():
    """Two patients, a dose alone and the last of thirty, looked at as a patient with few readings is."""
    times = [*TIMES, BEGINS, *(BEGINS + t for t in TIMES)]
    people = [twin.Patient("ana"), twin.Patient("ben")]
    return twin.simulate(One(), people, regimens=ARMS, times=times, until=360, draws=40, seed=3, outcomes=[])


def test_every_draw_is_analysed_as_a_patient_with_few_readings_would_be(tree):
    """Draws differ in clearance and volume, and each analysis finds its own: the log rule is exact of one compartment,
    and 1e-5 is what the solver and the steady state leave."""
    found = twin.nca(tree, model=One(), regimens=ARMS, route="bolus")
    assert (found["clearance"].dims, found["clearance"].attrs["unit"]) == (("patient", "regimen", "draw"), "L/h")
    drawn = tree["prior"].to_dataset()
    for arm in ARMS:
        np.testing.assert_allclose(found["clearance"].sel(regimen=arm), drawn["clearance"], rtol=1e-5)
        np.testing.assert_allclose(found["volume_ss"].sel(regimen=arm), drawn["volume"], rtol=1e-5)
    assert set(found["outside"].sel(regimen="often").values.ravel()) == {5}
    few = twin.nca(tree, model=One(), regimens=ARMS, route="bolus", limit=1e6)
    assert set(few["reason"].values.ravel()) == {"no reading is above its limit"}
    alone = twin.nca(tree.isel(draw=[7]), model=One(), regimens=ARMS, route="bolus")
    xr.testing.assert_allclose(alone["clearance"].squeeze(), found["clearance"].isel(draw=7), rtol=1e-12)


def test_doses_that_followed_readings_are_those_of_the_ledger(tree):
    """Each draw has its own: twice the amount is twice the clearance; a dose of nothing was not given."""
    once = tree.isel(regimen=[0])
    lanes = ("patient", "regimen", "draw", "dose_number")
    shape = once["predictions/concentration"].shape[:3]
    amount = np.where(np.arange(shape[2]) < 20, 100.0, 200.0)[:, None] * [1.0, 0.0]
    columns = {"given_at": [0.0, 12.0], "amount": amount, "mode": 0.0, "length": 0.0, "treatment": 0.0}
    ledger = xr.Dataset({n: (lanes, np.array(np.broadcast_to(v, (*shape, 2)))) for n, v in columns.items()})
    reacting = xr.DataTree.from_dict({n: g.to_dataset() for n, g in once.children.items()} | {"doses": ledger})
    reacting.attrs = once.attrs
    found = twin.nca(reacting, model=One(), route="bolus")["clearance"].squeeze("regimen")
    drawn = once["prior/clearance"] * np.where(np.arange(shape[2]) < 20, 1.0, 2.0)
    np.testing.assert_allclose(found, drawn, rtol=1e-5)


def test_a_table_says_doses_by_addl_rate_and_limits(tmp_path):
    """Two infusions of 2 h 12 h apart; the last reading lies below its limit."""
    rows = ["ID,TIME,AMT,RATE,ADDL,II,DV,BLQ,LLOQ,DVID,WT", "a,0,100,50,1,12,.,.,.,.,70"]
    rows += [f"a,{t},.,.,.,.,{v},0,0.1,1,70" for t, v in ((12, 0.5), (14, 2.1), (16, 1.6), (20, 1.0), (24, 0.6))]
    rows += ["a,30,.,.,.,.,.,1,0.1,1,70", "a,14,.,.,.,.,9,0,0.1,2,70"]
    rows[2:] = sorted(rows[2:], key=lambda row: float(row.split(",")[1]))
    path = write(tmp_path / "a.csv", *rows)
    with pytest.raises(twin.TwinError, match="has readings of DVID 1, 2; say which: observable='1'"):
        twin.nca(path)
    found = twin.nca(path, "1")
    assert [float(found[n][0]) for n in ("tlast", "cmax", "tmax")] == [12.0, 2.1, 2.0]
    area = 0.5 + 2.1  # up in a straight line, and down in lines of logarithms
    for c1, c2, h in ((2.1, 1.6, 2), (1.6, 1.0, 4), (1.0, 0.6, 4)):
        area += h * (c1 - c2) / np.log(c1 / c2)
    assert float(found["auc_tau"][0]) == pytest.approx(area, rel=1e-9)
    assert float(found["clearance"][0]) == pytest.approx(100 / area, rel=1e-9)
    assert found["reading_time"].values[0].tolist() == [0, 2, 4, 8, 12, 18]
    by_weight = twin.nca(path, "1", dose="WT", route="extravascular")
    assert float(by_weight["auc_inf_per_dose"][0] * 70) == pytest.approx(float(by_weight["auc_inf"][0]))


def test_windows_and_partial_areas_are_said_in_units():
    found = twin.nca([person(), person("ben")], model=One(), route="bolus", window={"ben": ("2 h", "8 h")},
                     partial=[(0, "240 min"), (0, "10 day")])  # fmt: skip
    assert found["lambda_z_points"].values.tolist() == [5, 3]
    assert found["span"].values.tolist() == ["0 to 4", "0 to 240"]
    expected = [20 * -np.expm1(-K * end) for end in (4, 240)]
    np.testing.assert_allclose(found["auc_partial"].values, [expected] * 2, rtol=1e-9)


ABOVE = [twin.Observation("concentration", 1.0, ">5"), twin.Observation("concentration", 2.0, 1.0)]
UNLIKE = [DoseRecord("100 mg", 0.0), DoseRecord("100 mg", 0.0, over="1 h")]


def test_patients_that_cannot_be_analysed_say_why():
    people = [person(), person("high", observations=ABOVE), person("none", observations=[]), person("two", UNLIKE)]
    found = twin.nca(people, model=One(), route="bolus")
    reasons = found["reason"].sel(figure="cmax").values.tolist()
    assert reasons == [
        "",
        "the reading at 1 is only known to lie above a limit",
        "there is no reading after the dose; give some",
        "doses that begin together last unlike long; analyse them apart",
    ]


REFUSED = {
    "no route": ((person(),), {"model": One()}, "a dose says no duration, so its route is not known"),
    "an unknown route": ((person(),), {"model": One(), "route": "oral"}, "unknown route 'oral'"),
    "no model": ((person(),), {}, "say of which model the patients are"),
    "an unknown observable": ((person(), "conc"), {"model": One()}, "unknown observable 'conc'; known"),
    "an unknown treatment": ((person(),), {"model": One(), "treatment": "x"}, "unknown treatment 'x'"),
    "no observation": ((twin.Patient("ana"),), {"model": One()}, "no patient has an observation; say which"),
    "an unknown rule": ((person(),), {"model": One(), "route": "bolus", "rules": {"are": 1}}, "unknown rule 'are'"),
    "a window backwards": ((person(),), {"model": One(), "route": "bolus", "window": (8, 2)}, "is no pair"),
    "a window of nobody": ((person(),), {"model": One(), "route": "bolus", "window": {"bo": (1, 2)}}, "unknown pat"),
    "an empty span": ((person(),), {"model": One(), "route": "bolus", "partial": [(3, 3)]}, "is no pair"),
    "a unit that differs": ((person(),), {"model": One(), "units": {"value": "g/L"}}, "not in g/L"),
    "an unknown unit": ((person(),), {"model": One(), "units": {"dosis": "g"}}, "unknown unit of 'dosis'"),
    "a column too many": (({"time": [1], "conc": [1]},), {}, "unknown column 'conc'"),
    "a column too few": (({"time": [1]},), {}, "there is no column 'value'"),
    "columns that differ": (({"time": [1, 2], "value": [1]},), {}, "column 'value' has not the 2 rows of time"),
    "a time without a unit": (({"time": [1], "value": [1]},), {"tau": "12 h", "route": "bolus"}, "the times have none"),
    "a dose by size": (({"time": [1], "value": [1]},), {"dose": "3 mg/kg", "route": "bolus"}, "is by size"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_analysis_is_refused_in_one_sentence(given, words, said):
    with pytest.raises(twin.TwinError) as problem:
        twin.nca(*given, **words)
    assert said in str(problem.value)


def test_a_result_without_courses_or_with_other_regimens_is_refused(tree):
    bare = xr.DataTree.from_dict({n: g.to_dataset() for n, g in tree.children.items() if n != "predictions"})
    with pytest.raises(twin.TwinError, match="the result has no course; simulate with times"):
        twin.nca(bare, model=One())
    with pytest.raises(twin.TwinError, match="the result has the regimen 'often', which is not given"):
        twin.nca(tree, model=One(), regimens={"once": "100 mg"})


# --- the command ----------------------------------------------------------------------------------------


def run(arguments, capsys):
    code = 0
    try:
        main([str(one) for one in arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


OF_TABLE = ["--route", "bolus", "--unit", "mg/L", "--time-unit", "h", "--dose-unit", "mg"]


def test_the_command_prints_a_table_and_writes_every_figure(tmp_path, capsys):
    path, out = write(tmp_path / "a.csv", *TABLE), tmp_path / "out" / "figures.csv"
    code, text, _ = run(["nca", path, *OF_TABLE, "--partial", "0", "4 h", "--keep-ids", "--out", out], capsys)
    assert code == 0
    assert ["clearance", "L/h", "5"] in [line.split() for line in text.splitlines()]
    assert "1 of 1 without auc_tau" in text
    with out.open(newline="") as file:
        told = {row["figure"]: row for row in csv.DictReader(file)}
    assert float(told["half_life"]["value"]) == pytest.approx(np.log(2) / K)
    assert (told["auc_tau"]["value"], told["auc_tau"]["reason"]) == ("", "there is no dosing interval")
    assert float(told["auc 0 to 4"]["value"]) == pytest.approx(20 * -np.expm1(-0.4))
    assert told["cmax"]["patient"] == "a"


def test_many_people_are_summarised(tmp_path, capsys):
    rows = [row.replace("a,", f"{i},", 1) for i in range(8) for row in TABLE[1:]]
    code, text, _ = run(["nca", write(tmp_path / "a.csv", TABLE[0], *rows), *OF_TABLE], capsys)
    (line,) = [line.split() for line in text.splitlines() if line.startswith("clearance")]
    assert (code, line[:5]) == (0, ["clearance", "L/h", "8", "5", line[4]])
    assert line[-2] == "5"  # the geometric mean


def test_a_scenario_is_analysed_as_measured_and_as_simulated(tmp_path, capsys):
    path = "scenarios/vancomycin/without_a_model.yaml"
    code, text, _ = run(["nca", path, "--out", tmp_path / "a.zarr"], capsys)
    assert code == 0
    assert ["clearance", "L/h", "3.24"] in [line.split() for line in text.splitlines()]
    kept = xr.open_zarr(tmp_path / "a.zarr", consolidated=False)
    assert float(kept["clearance"].sel(patient="edda")) == pytest.approx(3.24, abs=0.005)


@pytest.mark.slow
def test_a_scenarios_courses_are_analysed_draw_by_draw(tmp_path, capsys):
    path, out = "scenarios/vancomycin/without_a_model.yaml", tmp_path / "a.zarr"
    code, text, _ = run(["nca", path, "--simulated", "--limit", "3", "--draws", "50", "--out", out], capsys)
    assert (code, "edda, observed" in text) == (0, True)
    found = xr.open_zarr(out, consolidated=False)
    assert found["clearance"].dims == ("patient", "regimen", "draw")
    assert 2 < float(found["clearance"].median()) < 7  # by the readings themselves 3.2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.csv", "--simulated"], "a table takes no --simulated; leave it out"),
        (["a.yaml", "--keep-ids"], "a scenario takes no --keep-ids; leave it out"),
        (["a.csv", "--out", "a.txt"], "figures are written as .csv or .zarr"),
        (["a.csv", "--name", "conc"], "is no COLUMN=MEANING"),
        (["a.csv", "--after", "first"], "after 'first' is no dose"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.csv", *TABLE)
    code, _, error = run(["nca", *arguments], capsys)
    assert code == 1
    assert said in error
    assert error.count("\n") == 1
