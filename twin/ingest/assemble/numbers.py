"""A reading's number in the unit that a model declares, or a note why there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ...errors import TwinError
from ...model.codes import SYSTEMS
from ...quantity import is_finite
from ..chart import Code, Reading
from ..mapping import Entry
from ..report import CONVERTED, DROPPED, FLAGGED
from ..ucum import factor

# A table's columns have no units of their own: their numbers are in the unit that the model declares.
TABLES = ("column", "dvid", "cmt")


class Numbers:
    """The numbers of one person's readings; `note` takes a kind and a reason."""

    def __init__(self, note: Callable[[str, str], None]):
        self.note = note
        self.scales: dict[tuple[object, ...], float | str] = {}  # or why there is none

    def read(self, entry: Entry, reading: Reading, target: str) -> float | None:
        """The reading in `target`, or None and a note why not."""
        if not isinstance(reading.value, int | float) or isinstance(reading.value, bool):
            self.note(DROPPED, f"{entry.to}: no number")
            return None
        scale = self._scale(entry, reading.codes[0], reading.unit, target)
        value = float(reading.value) * scale if scale is not None else None
        if value is None or is_finite(value):
            return value
        self.note(DROPPED, f"{entry.to}: not a finite number")
        return None

    def exact(self, entry: Entry, reading: Reading, target: str) -> float | None:
        """The same, of a number that is no mere bound."""
        if reading.bound:
            self.note(DROPPED, f"{entry.to}: only known to lie below or above")
            return None
        return self.read(entry, reading, target)

    def _scale(self, entry: Entry, code: Code, said: str | None, target: str) -> float | None:
        """What turns the file's numbers into the declared unit: looked at once, noted each time."""
        key = (entry.code, entry.to, code, said)
        if key not in self.scales:
            self.scales[key] = _factor(entry, code, said, target)
        found = self.scales[key]
        if isinstance(found, str):
            self.note(DROPPED, f"{entry.to}: {found}")
            return None
        unit = said or entry.unit
        if unit is None and target not in ("", "1"):
            self.note(FLAGGED, f"{entry.to}: {spell((code,))} has no unit, taken in {target}")
        elif found != 1.0:
            self.note(CONVERTED, f"{entry.to}: {unit or '1'} -> {target}")
        return found


def _factor(entry: Entry, code: Code, said: str | None, target: str) -> float | str:
    unit = said or entry.unit
    if unit is None and target not in ("", "1"):
        return 1.0 if code.system in TABLES else f"{spell((code,))} without a unit; say 'unit' in the mapping"
    try:
        return factor(unit, target, molar_mass=entry.molar_mass)
    except TwinError as problem:
        return str(problem)


# What codes look like: anything else where one belongs may be a name, and is not repeated.
_ICD10 = r"[A-Z]\d[\dA-Z](?:\.?[\dA-Z]{1,4})?"
_CODES = {
    "loinc": r"(?:L[AP])?\d{1,7}-\d", "rxnorm": r"\d{1,8}", "snomed": r"\d{1,18}", "cvx": r"\d{1,3}",
    "omop": r"\d{1,10}", "cmt": r"-?\d{1,4}", "dvid": r"-?\d{1,4}",
    "atc": r"[A-Z](?:\d\d(?:[A-Z](?:[A-Z](?:\d\d)?)?)?)?", "icd10": _ICD10, "icd10cm": _ICD10, "ndc": r"[\d-]{9,14}",
    "icd9cm": r"[EV]?\d{2,4}(?:\.\d{1,2})?", "hcpcs": r"[A-Z]?\d{4}[A-Z\d]?",
}  # fmt: skip


def spell(codes: Iterable[Code]) -> str:
    """The first code that is one, as a mapping would name it; a URI by its last part."""
    known = [code for code in codes if code.value]
    for system, value, _ in known:
        if system in SYSTEMS and re.fullmatch(_CODES.get(system, ".*"), value):
            what, of, _ = value.partition(" of ")  # a lesion's name is the file's own
            return f"{system} {what}{of and ' of one'}"[:80] if system != "segmentation" else "a segmentation"
        if ":" in system:
            return f"{system.rsplit('/', 1)[-1]} {value}"[:80]
    return "a code of no vocabulary that a mapping names" if known else "without a code"
