"""Genomes: called diplotypes (tables, PharmCAT) and VCF files -> diplotype, phenotype and activity score of each gene.

charts, report = genome.read("ana.vcf.gz", assembly="GRCh38")
charts[0].readings[0]         # Reading((Code("gene", "CYP2C9"),), "*1/*3")
"""

from __future__ import annotations

import os
from typing import Any

from ..chart import Chart
from ..report import Report
from ..textfile import lines
from .inhibition import phenoconverted

__all__ = ["phenoconverted", "read"]


def read(path: str | os.PathLike[str], **options: Any) -> tuple[list[Chart], Report]:
    """Whatever kind of file it is, by what its first line looks like; options as its own reader has them."""
    from . import pharmcat, table, vcf

    first = next(iter(lines(path)))[1]
    name = os.fspath(path).lower()
    if first.startswith("##fileformat=VCF") or name.endswith((".vcf", ".vcf.gz", ".vcf.bgz")):
        return vcf.read(path, **options)
    if first.lstrip().startswith(("{", "[")) or name.endswith(".json"):
        return pharmcat.read(path, **options)
    return table.read(path, **options)
