"""Genomes: called diplotypes (tables, PharmCAT) and VCF files -> diplotype, phenotype and activity score of each gene.

charts, report = genome.read("ana.vcf.gz", assembly="GRCh38")
charts[0].readings[0]         # Reading((Code("gene", "CYP2C9"),), "*1/*3")
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import TwinError
from ..chart import Chart
from ..report import Report
from ..text.lines import label, lines
from .inhibition import phenoconvert

__all__ = ["phenoconvert", "read"]


def read(
    path: str | os.PathLike[str],
    *,
    patient: str | None = None,
    genes: Sequence[str] | None = None,
    sample: str | None = None,
    assembly: str | None = None,
    absent: str | None = None,
    population: str | None = None,
    alleles: Mapping[str, Sequence[str]] | None = None,
    lowest_quality: float | None = None,
) -> tuple[list[Chart], Report]:
    """Whatever kind of file it is, by what its first line looks like.

    `patient` identifies the person where the file does not, or otherwise than elsewhere. `genes` are those of interest
    (PharmCAT and VCF); the others are of a VCF, as `vcf.read` has them.
    """
    from . import pharmcat, table, vcf

    of_vcf = {
        "sample": sample, "assembly": assembly, "absent": absent, "population": population, "alleles": alleles,
        "lowest_quality": lowest_quality,
    }  # fmt: skip
    said: dict[str, Any] = {name: value for name, value in of_vcf.items() if value is not None}
    kind = _kind(path)
    if said and kind != "VCF":
        raise TwinError(f"{label(path)}: option '{next(iter(said))}' is one of a VCF, not of a {kind}; leave it out")
    if kind == "VCF":
        return vcf.read(path, patient=patient, genes=genes, **said)
    chosen = {} if genes is None else {"genes": genes}
    if kind == "PharmCAT file":
        return pharmcat.read(path, patient=patient, **chosen)
    if genes is not None:
        raise TwinError(f"{label(path)}: option 'genes' is not one of a table of diplotypes; leave it out")
    return table.read(path, patient=patient)


def _kind(path: str | os.PathLike[str]) -> str:
    first = next(iter(lines(path)))[1]
    name = os.fspath(path).lower()
    if first.startswith("##fileformat=VCF") or name.endswith((".vcf", ".vcf.gz", ".vcf.bgz")):
        return "VCF"
    is_json = first.lstrip().startswith(("{", "[")) or name.endswith(".json")
    return "PharmCAT file" if is_json else "table of diplotypes"
