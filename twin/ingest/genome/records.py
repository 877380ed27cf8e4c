"""Records of a VCF that cover the table's sites, on the plus strand of a known assembly."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...errors import TwinError
from ..text.lines import label, lines
from .assembly import Header, assembly_of
from .sites import ASSEMBLIES, Site

_BLOCKS = ("<NON_REF>", "<*>")
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclasses.dataclass(frozen=True)
class Record:
    """A line of the file that covers a site."""

    line: int
    position: int
    reference: str
    alternates: tuple[str, ...]
    quality: str
    passed: bool
    form: tuple[str, ...]
    samples: tuple[str, ...]
    block: bool  # a stretch of reference, without its bases
    flipped: bool  # written on the minus strand; the bases here are turned to the plus strand


class Covering(NamedTuple):
    """A line whose place may cover a site, before the assembly is known."""

    line: int
    position: int
    end: int
    cells: Sequence[str]


def scan(
    path: str | os.PathLike[str], wanted: Sequence[Site], assembly: str | None, most: int
) -> tuple[Header, dict[str, list[Record]]]:
    """The header, with the assembly, and by rsid the records that cover each site."""
    name, numbered = label(path), lines(path, most)
    header = Header.read(numbered, name)
    if assembly and header.assembly and assembly != header.assembly:
        raise TwinError(f"{name}: the header says {header.assembly}, the option {assembly}; which is right?")
    known, covering = _covering(numbered, name, header, wanted, assembly or header.assembly)
    found: dict[str, list[Record]] = {site.rsid: [] for site in wanted}
    if covering and known is None:
        raise TwinError(f"{name}: nothing says which assembly the positions are of; say assembly='GRCh38' or 'GRCh37'")
    for one in covering:
        for site in wanted:
            at = site.position(known or "GRCh38")
            if one.cells[0].removeprefix("chr") == site.chromosome and one.position <= at <= one.end:
                found[site.rsid].append(_record(one, site, known or "GRCh38", name))
    return dataclasses.replace(header, assembly=known), found


def _covering(
    numbered: Iterator[tuple[int, str]], name: str, header: Header, wanted: Sequence[Site], assembly: str | None
) -> tuple[str | None, list[Covering]]:
    places: dict[str, list[int]] = {}
    for site in wanted:
        among = [assembly] if assembly else ASSEMBLIES
        places.setdefault(site.chromosome, []).extend(site.position(a) for a in among)
    by_rsid = {site.rsid: site for site in wanted}
    kept: list[Covering] = []
    for number, text in numbered:
        chromosome = text.partition("\t")[0].removeprefix("chr")
        if chromosome not in places:
            _check_width(text, number, name, header)
            continue
        cells = _cells(text, number, name, header)
        position = int(cells[1])
        assembly = assembly_of(cells, position, by_rsid, assembly, name, number)
        end = _end(cells, position)
        if any(position <= place <= end for place in places[chromosome]):
            kept.append(Covering(number, position, end, cells))
    return assembly, kept


def _check_width(text: str, number: int, name: str, header: Header) -> None:
    """A record of another chromosome is not read, but a file that ends in the middle of one is cut off."""
    if text and text.count("\t") + 1 != header.columns:
        raise TwinError(f"{name}, line {number}: not as many columns as the header has; is the file cut off?")


def _cells(text: str, number: int, name: str, header: Header) -> list[str]:
    _check_width(text, number, name, header)
    cells = text.split("\t")
    if not (cells[1].isascii() and cells[1].isdigit() and len(cells[1]) < 12):
        raise TwinError(f"{name}, line {number}: the position is not a whole number; is the file damaged?")
    if not cells[3].isalpha():
        raise TwinError(f"{name}, line {number}: the reference is not made of bases; is the file damaged?")
    return cells


def _end(cells: Sequence[str], position: int) -> int:
    """The last base that a record covers: INFO's END in blocks, else the reference's length."""
    if any(form in cells[4] for form in _BLOCKS):
        for entry in cells[7].split(";"):
            if entry.startswith("END=") and entry[4:].isdigit():
                return int(entry[4:])
    return position + len(cells[3]) - 1


def _record(one: Covering, site: Site, assembly: str, name: str) -> Record:
    cells = one.cells
    alternates = tuple(a.upper() for a in cells[4].split(",") if a != ".")
    block = bool(alternates) and all(a in _BLOCKS for a in alternates)
    reference, flipped = cells[3].upper(), False
    at = site.position(assembly)
    if one.position + len(reference) > at:  # in the middle of a block no base is said
        flipped = _is_flipped(one.line, reference, alternates, one.position, site, assembly, name)
    if flipped:
        reference, alternates = _reverse_complement(reference), tuple(_reverse_complement(a) for a in alternates)
    return Record(
        one.line, one.position, reference, alternates, cells[5], cells[6] in ("PASS", "."),
        tuple(cells[8].split(":")) if len(cells) > 8 else (), tuple(cells[9:]), block, flipped,
    )  # fmt: skip


def _is_flipped(
    line: int, reference: str, alternates: Sequence[str], position: int, site: Site, assembly: str, name: str
) -> bool:
    """Whether a record is written on the minus strand; an error where that, or the assembly, cannot be told."""
    at, expected, other = site.position(assembly), site.reference(assembly), site.alternate(assembly)
    read = reference[at - position : at - position + len(expected)]
    if read == expected[: len(read)]:
        return False
    where = f"{name}, line {line}: {site.rsid} ({site.gene})"
    if position == at and len(reference) == len(expected) == len(other) == 1 and read == _reverse_complement(expected):
        if read == other:
            raise TwinError(
                f"{where}: the reference is {read} where {assembly} has {expected}, which may be the other strand or "
                "swapped alleles; write the record on the plus strand"
            )
        if {a for a in alternates if a.isalpha()} <= {_reverse_complement(other)}:
            return True
    raise TwinError(f"{where}: the reference is {read} where {assembly} has {expected}; is the assembly another one?")


def _reverse_complement(bases: str) -> str:
    """The same bases on the other strand; symbols stay."""
    return bases.translate(_COMPLEMENT)[::-1] if bases.isalpha() else bases
