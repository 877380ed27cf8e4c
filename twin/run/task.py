"""What is fixed while a program compiles."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..model import DiseaseModel
from ..solver.choose import Choice
from ..solver.question import Question


@dataclasses.dataclass(frozen=True)
class Task:
    """What is fixed while a program compiles; equal tasks share one."""

    kind: type[DiseaseModel]
    choice: Choice
    question: Question
    dtype: Any
    noise: bool
    spread: bool
    uncertainty: bool
