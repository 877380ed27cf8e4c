"""One sample's genotype at a site: which of its two chromosomes have the variant base, or why that is not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...errors import TwinError
from ..report import CONVERTED, DUPLICATE, FLAGGED
from .alleles import VARIANT, at_site
from .calling import Called
from .records import Record
from .sites import Site

Note = Callable[[str, str], None]  # kind, reason


def genotype(
    site: Site, records: Sequence[Record], column: int, assembly: str, lowest_quality: float, note: Note, name: str
) -> Called | None:
    """What a site's records say of the sample in a column; None where it is unknown.

    Raises Unusable where a base is there that no allele of the table has.
    """
    calls = []
    for record in records:
        fields = dict(zip(record.form, record.samples[column].split(":"), strict=False))
        why = _reason_unused(record, fields, lowest_quality)
        if why:
            note(FLAGGED, f"{site.gene}: {site.rsid} {why}, not used")
            continue
        calls.append(_call(site, record, fields, assembly, name))
        if record.flipped:
            note(CONVERTED, f"{site.gene}: {site.rsid} is written on the minus strand")
    if len({tuple(sorted(call.variants)) for call in calls}) > 1:
        note(FLAGGED, f"{site.gene}: {site.rsid} stands twice with different genotypes, not used")
        return None
    for _ in calls[1:]:
        note(DUPLICATE, f"{site.gene}: {site.rsid}")
    return calls[0] if calls else None


def _reason_unused(record: Record, fields: Mapping[str, str], lowest_quality: float) -> str:
    """Why a call is not used; empty where it is."""
    parts = fields.get("GT", ".").replace("|", "/").split("/")
    if not record.passed or fields.get("FT", "PASS") not in ("PASS", "."):
        return "failed a filter"
    if "." in parts:
        return "has no call"
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        return "is not a call of two chromosomes"
    low = _below(fields.get("GQ", "."), lowest_quality)
    if set(parts) != {"0"}:  # QUAL is the evidence for a variant, and low where there is none
        low = low or _below(record.quality, lowest_quality)
    return "has low quality" if low else ""


def _below(text: str, limit: float) -> bool:
    try:
        return float(text) < limit
    except ValueError:  # '.': no quality is said
        return False


def _call(site: Site, record: Record, fields: Mapping[str, str], assembly: str, name: str) -> Called:
    text = fields["GT"]
    one, other = (_variant(site, record, int(part), assembly, name) for part in text.replace("|", "/").split("/"))
    if "|" not in text:
        return Called((one, other))
    phase = fields.get("PS", ".")
    return Called((one, other), "all" if phase == "." else f"PS {phase}")


def _variant(site: Site, record: Record, allele: int, assembly: str, name: str) -> bool:
    """Whether an allele of a record has the variant base."""
    if allele > len(record.alternates):
        raise TwinError(f"{name}, line {record.line}: a genotype names an allele that its record does not have")
    swapped = site.reference(assembly) == site.variant
    if not allele:
        return swapped
    alternate, expected = record.alternates[allele - 1], site.reference(assembly)
    kind = at_site(
        record.position, record.reference, alternate, site.position(assembly), expected, site.alternate(assembly)
    )
    return (kind == VARIANT) != swapped
