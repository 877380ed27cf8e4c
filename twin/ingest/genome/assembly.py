"""A VCF's header: its samples, and which human genome assembly its positions are of."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

from ...errors import TwinError
from .sites import ASSEMBLIES, Site

_NAMES = {
    "grch38": "GRCh38", "hg38": "GRCh38", "b38": "GRCh38", "38": "GRCh38",
    "grch37": "GRCh37", "hg19": "GRCh37", "b37": "GRCh37", "37": "GRCh37", "hs37d5": "GRCh37",
}  # fmt: skip
_SAID = re.compile(r"(?i)(grch38|hg38|grch37|hg19|hs37d5|\bb37\b|human_g1k_v37)")
# Chromosome lengths tell the assembly even where nothing names it (GRCh38, GRCh37).
_LENGTHS = {
    "1": (248956422, 249250621), "6": (170805979, 171115067), "7": (159345973, 159138663), "10": (133797422, 135534747),
    "13": (114364328, 115169878), "16": (90338345, 90354753),
}  # fmt: skip
_CONTIG = re.compile(r"##contig=<.*?ID=(?:chr)?([^,>]+).*?length=(\d+)")
_FIRST = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")


def canonical_name(assembly: str | None) -> str | None:
    """GRCh37 or GRCh38 for any of their names."""
    if assembly is None:
        return None
    found = _NAMES.get(assembly.lower().split(".")[0])
    if found is None:
        raise TwinError(f"assembly '{assembly}' is not known; one of {', '.join(ASSEMBLIES)} (hg19 and hg38 too)")
    return found


@dataclasses.dataclass(frozen=True)
class Header:
    """What a VCF says before its records."""

    samples: tuple[str, ...]
    columns: int
    assembly: str | None
    has_blocks: bool

    @staticmethod
    def read(numbered: Iterator[tuple[int, str]], name: str) -> Header:
        """The header's lines, up to the one that names the columns."""
        said: set[str] = set()
        blocks = False
        for number, text in numbered:
            if number == 1 and not text.startswith("##fileformat=VCFv4"):
                raise TwinError(
                    f"{name}, line 1: not a VCF of version 4 (no '##fileformat=VCFv4'); is the header lost?"
                )
            if text.startswith("##"):
                said |= _assemblies(text)
                blocks = blocks or text.startswith(("##ALT=<ID=NON_REF", "##GVCFBlock"))
                continue
            cells = text.split("\t")
            if tuple(cells[:8]) != _FIRST:
                raise TwinError(f"{name}, line {number}: no line '#CHROM POS ID ...' before the records; header lost?")
            if len(said) > 1:
                raise TwinError(f"{name}: the header names both GRCh37 and GRCh38; say assembly=")
            samples = tuple(cells[9:])
            if len(set(samples)) < len(samples):
                raise TwinError(f"{name}, line {number}: two samples have the same name; rename one")
            return Header(samples, len(cells), next(iter(said), None), blocks)
        raise TwinError(f"{name}: the file ends within its header; is it cut off?")


def assembly_of(
    cells: Sequence[str], position: int, wanted: Mapping[str, Site], assembly: str | None, name: str, number: int
) -> str | None:
    """The assembly, learned or contradicted by a record that names an rsid of ours."""
    for rsid in cells[2].split(";"):
        site = wanted.get(rsid)
        if site is None or cells[0].removeprefix("chr") != site.chromosome:
            continue
        fits = [a for a in ASSEMBLIES if position == site.position(a)]
        if len(cells[3]) > 1 or any(len(a) > 1 for a in cells[4].split(",")):
            continue  # an indel or a longer record may begin elsewhere
        if not fits:
            raise TwinError(
                f"{name}, line {number}: {rsid} stands at a position that is its own in no assembly we know"
            )
        if assembly is not None and assembly not in fits:
            raise TwinError(f"{name}, line {number}: {rsid} stands where {fits[0]} has it, but the file is {assembly}")
        assembly = fits[0]
    return assembly


def _assemblies(text: str) -> set[str]:
    found = {_NAMES.get(word.lower(), "GRCh37") for word in _SAID.findall(text)} if _says(text) else set()
    contig = _CONTIG.match(text)
    if contig and contig.group(1) in _LENGTHS:
        of_38, of_37 = _LENGTHS[contig.group(1)]
        found |= {of_38: {"GRCh38"}, of_37: {"GRCh37"}}.get(int(contig.group(2)), set())
    return found


def _says(text: str) -> bool:
    """Only lines about the reference: a command line may name other files."""
    return text.startswith(("##reference=", "##contig=", "##assembly="))
