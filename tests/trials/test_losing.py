"""Who is lost because treatment was given up, and a response until a visit: by hand, with nothing solved."""

from __future__ import annotations

import numpy as np
import pytest

from twin.files.schema import examine
from twin.regimen import Regimen
from twin.trials.conduct import Conduct
from twin.trials.courses import Courses, Seen
from twin.trials.endpoint import Followed, observe
from twin.trials.file import TrialEntry
from twin.trials.reading import read_design

from .models import Marker

NAN, INF = np.nan, np.inf
TAKEN = {"doses": "1 mg q24h", "adherence": {"leave": "10 % / day"}}


def design_of(trial, taken=TAKEN):
    entry = examine({"arms": {"none": 1, "some": 1}, "patients": 4, **trial}, TrialEntry).content
    model = Marker()
    regimens = {"none": Regimen(), "some": Regimen.build(taken)}
    return read_design(entry, model, regimens, model.outcomes, 30.0)


def seen(**readings):
    left = np.array([[5.0, 12.0, 20.0, INF]])
    values = {name: np.asarray(v, float) for name, v in readings.items()}
    return Seen({"marker": np.zeros((1, 4))}, values, values, left, np.zeros((1, 4), bool))


def test_who_gives_up_is_lost_then_with_so_large_a_chance():
    design, problems = design_of({
        "endpoints": {"marker": {"outcome": "marker"}}, "drop_out": {"after": "stopped", "share": 1.0}
    })  # fmt: skip
    assert problems == []
    assert design.outcome_names == ("marker",)  # 'stopped' is no outcome, and none is asked for
    courses = Courses(design, Marker(), {}, None, 1)
    conduct = Conduct(design, Marker(), None, courses, 3, range(1))
    conduct.__dict__ |= {"fates": seen(), "arrivals": (np.zeros((1, 4)), np.zeros((1, 4), int))}
    arm = np.ones((1, 4), int)
    np.testing.assert_array_equal(conduct.follow(arm).lost, [[5.0, 12.0, 20.0, INF]])
    np.testing.assert_array_equal(conduct.follow(arm, complete=True).lost, np.full((1, 4), INF))
    design = design.but(drop_out=design.drop_out.__class__((0.0, 0.0), "stopped", 0.0))
    conduct.design = design
    assert np.isinf(conduct.follow(arm).lost).all()


def test_where_nobody_can_give_up_it_is_refused():
    trial = {"endpoints": {"marker": {"outcome": "marker"}}, "drop_out": {"after": "stopped"}}
    _, problems = design_of(trial, taken="1 mg q24h")
    assert [at for at, _ in problems] == [("drop_out", "after")]
    assert problems[0][1].startswith("nobody gives treatment up here")


@pytest.mark.parametrize(
    ("at", "expected", "known"),
    [
        # sizes: one shrinks by 40 % at once, one only at the third visit, one grows, one is never measured again
        ("20 day", [1, 1, 0, 0], 4),
        ("10 day", [1, 0, 0, 0], 4),
    ],
)
def test_a_response_counts_until_its_visit(at, expected, known):
    trial = {
        "visits": {"at": {"from": "0 day", "to": "20 day", "every": "10 day"}},
        "endpoints": {"response": {"response": "marker", "at": at}},
    }
    design, problems = design_of(trial)
    assert problems == []
    sizes = [[[100, 60, 60], [100, 90, 60], [100, 130, 60], [100, NAN, NAN]]]
    entry = np.array([[0.0, 0.0, 0.0, 0.0]])
    followed = Followed(design, seen(marker=sizes), entry, np.full((1, 4), INF), {})
    data = observe(design.endpoints[0], followed)
    np.testing.assert_array_equal(data.value, [expected])
    assert data.inside.sum() == known
    # who came in 15 days before has been seen until day 10, and not until day 20
    early = observe(design.endpoints[0], followed, np.array([15.0]))
    assert early.inside.all() == (at == "10 day")
    assert design.due == float(at.split()[0])


def test_a_response_cannot_be_at_the_first_visit():
    trial = {"visits": {"at": [0, 10]}, "endpoints": {"response": {"response": "marker", "at": 0}}}
    _, problems = design_of(trial)
    assert "nothing changes until the first visit" in problems[0][1]
