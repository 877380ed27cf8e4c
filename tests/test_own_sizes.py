"""Doses by size where draws have sizes of their own: each draw gets what a patient of that size would get."""

import numpy as np
import pytest

import twin

WEIGHTS = np.array([[45.0, 70.0, 110.0]])
KNOWN = {"age": 60, "sex": "male", "creatinine": "1 mg/dL", "dialysis": "none"}
RULES = [{"below": 12, "dose": "+ 2 mg/kg"}, {"above": 18, "dose": "- 2 mg/kg"}, {"dose": "same"}]
FEEDBACK = {
    "start": "15 mg/kg over 1 h q12h",
    "feedback": {"measure": "vancomycin", "latent": True, "at": ["36 h"], "rules": RULES, "doses": {"least": "1 mg"}},
}
ARMS = {"fixed": "15 mg/kg over 1 h q12h x6", "follows": FEEDBACK}


@pytest.mark.parametrize("arms", [["fixed"], ["fixed", "follows"]])
def test_a_draw_gets_what_a_patient_of_its_size_gets(arms):
    asked = {
        "regimens": {name: ARMS[name] for name in arms}, "outcomes": ["last_level"], "until": "72 h", "spread": False,
        "times": (),
    }  # fmt: skip
    of = lambda name, weight: twin.Patient(name, covariates=KNOWN | {"weight": float(weight)})  # noqa: E731
    apart = twin.simulate("vancomycin", [of(f"{w:g}", w) for w in WEIGHTS[0]], draws=1, **asked)
    together = twin.simulate("vancomycin", of("all", 70), draws=3, covariates={"weight": WEIGHTS}, **asked)
    expected, found = (result["outcomes/last_level"].transpose("regimen", ...).values for result in (apart, together))
    np.testing.assert_allclose(found.ravel(), expected.ravel(), rtol=1e-12)  # the same sums in another order
    assert len(set(np.round(found[0].ravel(), 6))) == 3
