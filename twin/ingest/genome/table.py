"""Called genotypes from a table: patient, gene, diplotype and perhaps the phenotype that a laboratory reported."""

from __future__ import annotations

import os

from ...errors import TwinError
from ..chart import Chart, Reading
from ..privacy import pseudonym
from ..report import CONVERTED, DROPPED, DUPLICATE, FLAGGED, READ, Report
from ..text.people import identifiers
from ..text.rows import Row, Rows, read_table
from . import functions
from .readings import of_gene


def read(path: str | os.PathLike[str], *, patient: str | None = None) -> tuple[list[Chart], Report]:
    """One chart a person. `patient` identifies the person of a table without that column."""
    rows = read_table(path)
    columns = _columns(rows)
    report = Report("genome", rows.name)
    found: dict[str, dict[str, tuple[str, Row]]] = {}
    for row, identifier in zip(rows.rows, identifiers(rows, columns["patient"], patient), strict=True):
        who = pseudonym(identifier)
        _add(found.setdefault(who, {}), row, columns, report, who)
    charts = [Chart(who, readings=_readings(genes)) for who, genes in found.items()]
    return charts, report


def _columns(rows: Rows) -> dict[str, str | None]:
    return {
        "patient": rows.column("patient", "id", "sample", "patient_id", needed=False),
        "gene": rows.column("gene"),
        "diplotype": rows.column("diplotype", "genotype"),
        "phenotype": rows.column("phenotype", needed=False),
    }


def _add(genes: dict[str, tuple[str, Row]], row: Row, columns: dict[str, str | None], report: Report, who: str) -> None:
    """A row's diplotype among a person's; two that differ are an error, for nobody knows which is right."""
    gene, said = row[columns["gene"] or ""].upper(), row[columns["diplotype"] or ""]
    if gene not in functions.GENES:
        report.note(who, DROPPED, "a gene that is not in our table")
        return
    if row.is_missing(columns["diplotype"] or "") or said.lower() in ("unknown", "unknown/unknown", "no call"):
        report.note(who, DROPPED, f"{gene}: no call")
        return
    try:
        text = functions.diplotype(gene, said)
    except TwinError as problem:
        raise TwinError(f"{row.where}: {problem}") from problem
    if gene in genes and genes[gene][0] != text:
        raise TwinError(
            f"{row.where}: {gene} of patient {who} stands twice with different diplotypes; keep the right one"
        )
    if gene in genes:
        report.note(who, DUPLICATE, gene)
        return
    report.note(who, READ, gene)
    if text != said:
        report.note(who, CONVERTED, f"{gene}: another spelling of the diplotype")
    _compare(gene, text, row, columns["phenotype"], report, who)
    genes[gene] = (text, row)


def _compare(gene: str, text: str, row: Row, column: str | None, report: Report, who: str) -> None:
    if column is None or row.is_missing(column):
        return
    if row[column].lower() != functions.phenotype(gene, text).lower():
        report.note(who, FLAGGED, f"{gene}: the reported phenotype is not CPIC's; CPIC's is used")


def _readings(genes: dict[str, tuple[str, Row]]) -> tuple[Reading, ...]:
    return tuple(r for gene, (text, row) in genes.items() for r in of_gene(gene, {text: 1.0}, row.where))
