"""What happened to every piece of a file on its way into a patient: counted, with reasons, without values.

report = Report("fhir", "bundle.json")
report.note("p1", READ, "Observation")
report.note("p1", DROPPED, "Observation without a value")
report.text()                                    # what `twin check` prints
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping

LOST, REFUSED, READ, USED, CONVERTED, DUPLICATE, DROPPED, FLAGGED, UNUSED = (
    "lost", "refused", "read", "used", "converted", "duplicate", "dropped", "flagged", "unused",
)  # fmt: skip
KINDS = (LOST, REFUSED, READ, USED, CONVERTED, DUPLICATE, DROPPED, FLAGGED, UNUSED)
_MOST_UNUSED = 12  # lines of what was not used: a record holds a hundred codes that no model asks for
NOBODY = ""  # the patient of notes about a file as a whole


@dataclasses.dataclass
class Report:
    """Counts by (patient, kind, reason). A reason names a kind of record or a code, never a person's value."""

    reader: str
    source: str
    counts: collections.Counter[tuple[str, str, str]] = dataclasses.field(default_factory=collections.Counter)

    def note(self, patient: str, kind: str, reason: str, count: int = 1) -> None:
        """Counts something that happened."""
        if kind not in KINDS:
            raise ValueError(f"unknown kind '{kind}' of note; one of {KINDS}")
        self.counts[patient, kind, reason] += count

    def total(self, kind: str, patient: str | None = None) -> int:
        """How often a kind of thing happened, to one patient or to all."""
        return sum(n for (who, what, _), n in self.counts.items() if what == kind and patient in (None, who))

    def losses(self) -> list[str]:
        """Doses of the model's own treatments that did not arrive, a sentence for each reason."""
        found: collections.Counter[str] = collections.Counter()
        for (_, kind, reason), n in self.counts.items():
            found[reason] += n if kind == LOST else 0
        return [f"{n} dose{'s' if n != 1 else ''} lost: {reason}" for reason, n in sorted((+found).items())]

    def join(self, other: Report) -> Report:
        """Both reports as one."""
        return Report(
            " + ".join(dict.fromkeys([*self.reader.split(" + "), other.reader])),
            ", ".join(dict.fromkeys([*self.source.split(", "), other.source])),
            self.counts + other.counts,
        )

    def rename(self, names: Mapping[str, str]) -> Report:
        """The report with other names for patients."""
        found: collections.Counter[tuple[str, str, str]] = collections.Counter()
        for (who, kind, reason), n in self.counts.items():
            found[names.get(who, who), kind, reason] += n
        return Report(self.reader, self.source, found)

    def rows(self) -> list[tuple[str, str, str, int]]:
        """(patient, kind, reason, count), in a fixed order: what is stored with a result."""
        order = {kind: i for i, kind in enumerate(KINDS)}
        return [(*key, n) for key, n in sorted(self.counts.items(), key=lambda e: (e[0][0], order[e[0][1]], e[0][2]))]

    def text(self) -> str:
        """One line a kind and reason, all patients together, and how many they are; the rarest unused are summed."""
        patients = {who for who, _, _ in self.counts if who != NOBODY}
        lines = [f"{self.source} ({self.reader}): {len(patients)} patient{'s' if len(patients) != 1 else ''}"]
        for kind in KINDS:
            summed: collections.Counter[str] = collections.Counter()
            for (_, what, reason), n in self.counts.items():
                summed[reason] += n if what == kind else 0
            shown = sorted((+summed).items())
            if kind == UNUSED and len(shown) > _MOST_UNUSED:
                common = dict(summed.most_common(_MOST_UNUSED - 1))
                rest = sum(n for reason, n in shown if reason not in common)
                shown = [*sorted(common.items()), (f"({len(shown) - len(common)} other kinds or codes)", rest)]
            lines += [f"  {kind:10}{n:8}  {reason}" for reason, n in shown]
        return "\n".join(lines)
