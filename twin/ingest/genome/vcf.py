"""Genotypes from a VCF (4.x, plain or gzipped): bases at the table's sites, then diplotypes or a stated distribution.

    charts, report = vcf.read("ana.vcf.gz", assembly="GRCh38")

A site that the file does not have is unknown, never the reference, unless the file says what the reference is: blocks
of a gVCF, or the option absent="reference".
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence

from ...errors import TwinError, suggest
from ..chart import Chart, Reading
from ..privacy import pseudonym
from ..report import DROPPED, FLAGGED, READ, Report
from ..text.lines import MOST_BYTES, label
from .alleles import Unusable
from .assembly import Header, canonical_name
from .calling import Called, diplotypes
from .genotypes import genotype
from .readings import of_gene
from .records import Record, scan
from .sites import ALLELES, GENES, ONLY_CALLED, POPULATIONS, SITES, USUAL, sites


@dataclasses.dataclass(frozen=True)
class Asked:
    """How a VCF is to be understood."""

    genes: tuple[str, ...]
    absent: str
    population: str
    alleles: Mapping[str, Sequence[str]]
    lowest_quality: float

    def __post_init__(self) -> None:
        for gene in (*self.genes, *self.alleles):
            if gene in ONLY_CALLED:
                raise TwinError(f"{gene} cannot be told from single bases ({ONLY_CALLED[gene]}); give its diplotype")
            if gene not in GENES:
                raise TwinError(f"'{gene}' is not a gene that a VCF is read for; {suggest(gene, GENES)}")
        for given, known in ((self.absent, ("unknown", "reference")), (self.population, POPULATIONS)):
            if given not in known:
                raise TwinError(f"'{given}' is none of {', '.join(known)}")
        for gene, named in self.alleles.items():
            for allele in set(named) - {USUAL.get(gene, "*1"), *ALLELES[gene]}:
                raise TwinError(f"alleles: {gene} has no '{allele}' in our table; {suggest(allele, ALLELES[gene])}")


def read(
    path: str | os.PathLike[str],
    *,
    patient: str | None = None,
    sample: str | None = None,
    genes: Iterable[str] | None = None,
    assembly: str | None = None,
    absent: str = "unknown",
    population: str = "european",
    alleles: Mapping[str, Sequence[str]] | None = None,
    lowest_quality: float = 20.0,
    most_bytes: int = MOST_BYTES,
) -> tuple[list[Chart], Report]:
    """Diplotypes of the genes in a VCF, one chart a sample.

    `patient` identifies the person (by default the sample's name does). `sample`: which one of several, or 'all'.
    `genes`: by default those with a site in the file; one that is named is weighed by frequencies alone if need be.
    `absent`: 'unknown', or 'reference' where a site without a record is known to be the reference. `population`: whose
    allele frequencies weigh what is not known. `alleles`: by gene, the only ones that can be there (what a panel
    excludes). A call below `lowest_quality` (GQ, or QUAL) or with a failed filter is not used.
    """
    asked = Asked(GENES if genes is None else tuple(genes), absent, population, alleles or {}, lowest_quality)
    wanted = [site for site in SITES if site.gene in asked.genes]
    header, found = scan(path, wanted, canonical_name(assembly), most_bytes)
    name = label(path)
    columns = _columns(header, sample, patient, name)
    if absent == "reference" and header.assembly is None:
        raise TwinError(f"{name}: nothing says which assembly's reference is meant; say assembly='GRCh38' or 'GRCh37'")
    if absent != "reference" and not any(found.values()):
        raise TwinError(
            f"{name}: none of the sites of {', '.join(asked.genes)} is in the file; is the assembly right, or are "
            "reference calls left out (absent='reference')?"
        )
    report = Report("genome", name)
    if genes is None and absent != "reference":
        asked = dataclasses.replace(asked, genes=tuple(g for g in GENES if any(found[s.rsid] for s in sites(g))))
    charts = [_chart(header, found, column, asked, patient, report) for column in columns]
    return charts, report


def _columns(header: Header, sample: str | None, patient: str | None, name: str) -> tuple[int, ...]:
    """Which samples are read. Samples may be called by people's names, so none is in a message."""
    count = len(header.samples)
    if not count:
        raise TwinError(f"{name}: no sample column, so there are no genotypes; give a file with samples")
    if sample is None and count > 1:
        raise TwinError(f"{name}: {count} samples and none named; say sample='<name>' or sample='all'")
    if sample == "all" and patient is not None and count > 1:
        raise TwinError(f"{name}: {count} samples cannot all be one patient; name one with sample=")
    if sample not in (None, "all", *header.samples):
        raise TwinError(f"{name}: the sample that was asked for is none of the file's {count}; check its name")
    return (header.samples.index(sample),) if sample in header.samples else tuple(range(count))


def _chart(
    header: Header,
    found: Mapping[str, Sequence[Record]],
    column: int,
    asked: Asked,
    patient: str | None,
    report: Report,
) -> Chart:
    who = pseudonym(header.samples[column] if patient is None else patient)
    readings: list[Reading] = []
    for gene in asked.genes:
        try:
            seen = _call_sites(gene, header, found, column, asked, report, who)
        except Unusable as problem:
            report.note(who, DROPPED, f"{gene}: {problem}")
            continue
        readings += _readings(gene, seen, asked, report, who)
    return Chart(who, readings=tuple(readings))


def _call_sites(
    gene: str,
    header: Header,
    found: Mapping[str, Sequence[Record]],
    column: int,
    asked: Asked,
    report: Report,
    who: str,
) -> dict[str, Called]:
    """What is known of each site of a gene."""
    assembly = header.assembly or "GRCh38"
    seen: dict[str, Called] = {}
    for site in sites(gene):
        records = found[site.rsid]
        called: Called | None = None
        if not records and asked.absent == "reference":
            variant = site.reference(assembly) == site.variant
            called = Called((variant, variant))
        elif records:
            try:
                called = genotype(
                    site, records, column, assembly, asked.lowest_quality,
                    lambda kind, reason: report.note(who, kind, reason), report.source,
                )  # fmt: skip
            except Unusable as problem:
                raise Unusable(f"{site.rsid} {problem}") from problem
        if called is not None:
            seen[site.rsid] = called
    return seen


def _readings(gene: str, seen: Mapping[str, Called], asked: Asked, report: Report, who: str) -> tuple[Reading, ...]:
    among = tuple(asked.alleles[gene]) if gene in asked.alleles else None
    distribution = diplotypes(gene, seen, asked.population, among)
    if not distribution:
        report.note(who, DROPPED, f"{gene}: no two alleles of the table have these bases together")
        return ()
    if seen:
        report.note(who, READ, gene)
    if len(distribution) > 1:
        missing = len(sites(gene)) - len(seen)
        why = f"{missing} of {len(sites(gene))} sites not known" if missing else "phase not known"
        report.note(who, FLAGGED, f"{gene}: {why}; weighed with {asked.population} allele frequencies")
    return of_gene(gene, distribution, f"{report.source}: {gene}")
