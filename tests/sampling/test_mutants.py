"""Files that ask when to measure and have been spoilt: each is refused with its line, or valid; nothing else."""

from __future__ import annotations

import pytest

from tests.feedback.test_mutants import mutants, require_sentences

TEXT = """\
model: vancomycin
patients: [{id: ana, covariates: {weight: 80 kg}}, {id: ben}]
regimens: {usual: 1 g over 1 h q12h x4, other: none}
outcomes: [auc_day_2]
until: 48 h
sampling:
  about: population
  measure: [vancomycin]
  regimen: usual
  windows: [{from: 25 h, to: 36 h, step: 1 h}, 40 h, 41 h]
  choose: 2
  apart: 1 h
  fixed: [12 h]
  aim: {precision: [clearance, variance of volume]}
  estimate: {typical: [clearance, volume], spread: [clearance, volume], error: [level_noise]}
  groups:
    dense: {patient: ana, subjects: 5, choose: 4}
    late: {patient: ben, regimen: other, windows: [{from: 30 h, to: 40 h, step: 2 h, choose: 1}]}
"""


@pytest.mark.parametrize(("count", "seed"), [(60, 1), pytest.param(2000, 2, marks=pytest.mark.slow)])
def test_a_spoilt_file_is_refused_or_valid(tmp_path, count, seed):
    require_sentences(tmp_path, mutants(count, seed, TEXT, "sampling:"))
