"""Diplotypes from PharmCAT's report.json and phenotype.json (2.x and 3.x).

A gene stands under its symbol, in 2.x and early 3.x once more by whose tables were used: CPIC's are taken. Two or more
diplotypes that fit equally well become a distribution, in equal parts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import TwinError
from ..chart import Chart, Reading
from ..privacy import pseudonym
from ..report import DROPPED, FLAGGED, READ, UNUSED, Report
from ..textfile import label, lines
from . import functions
from .readings import of_gene

MOST_BYTES = 256 * 2**20
_SOURCES = ("CPIC", "DPWG")


def read(
    path: str | os.PathLike[str], *, patient: str | None = None, genes: Iterable[str] = functions.GENES
) -> tuple[list[Chart], Report]:
    """One chart. `patient` identifies the person; by default PharmCAT's sample or title does, else the file's name."""
    name = label(path)
    document = _document(path, name)
    reports = _by_gene(document, name)
    who, report = pseudonym(patient or _identifier(document) or name), Report("genome", name)
    readings: list[Reading] = []
    for gene, entry in reports.items():
        if gene in genes:
            readings += _readings(gene, entry, report, who)
        else:
            report.note(who, UNUSED, "a gene that no reader's table has")
    return [Chart(who, readings=tuple(readings))], report


def _document(path: str | os.PathLike[str], name: str) -> Mapping[str, Any]:
    text = "\n".join(line for _, line in lines(path, MOST_BYTES))
    try:
        found = json.loads(text)
    except json.JSONDecodeError as problem:
        raise TwinError(
            f"{name}, line {problem.lineno}: not JSON, or cut off; write it again with PharmCAT"
        ) from problem
    except RecursionError as problem:
        raise TwinError(f"{name}: nested too deeply for a PharmCAT file; write it again with PharmCAT") from problem
    if not isinstance(found, dict):
        raise TwinError(f"{name}: not a PharmCAT file; give its report.json or phenotype.json")
    return found


def _by_gene(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Each gene's report."""
    if "results" in document and "geneReports" not in document:
        raise TwinError(f"{name}: PharmCAT's matcher output; give the phenotype.json or report.json of the same run")
    found = document.get("geneReports", document.get("genes"))
    if not isinstance(found, dict) or not found:
        raise TwinError(f"{name}: no genes as PharmCAT 2 or 3 writes them; give its report.json or phenotype.json")
    for source in _SOURCES:
        if isinstance(found.get(source), dict):
            return found[source]
    return found


def _identifier(document: Mapping[str, Any]) -> str:
    metadata = document.get("matcherMetadata") or {}
    said = metadata.get("sampleId") if isinstance(metadata, dict) else None
    return str(said or document.get("title") or "")


def _readings(gene: str, entry: Any, report: Report, who: str) -> tuple[Reading, ...]:
    where = f"{report.source}: {gene}"
    said = _diplotypes(entry, where)
    try:
        texts = [functions.diplotype(gene, label) for label in said]
    except TwinError:
        report.note(who, DROPPED, f"{gene}: a diplotype that is not in our table")
        return ()
    if not texts:
        report.note(who, DROPPED, f"{gene}: no call")
        return ()
    report.note(who, READ, gene)
    unique = list(dict.fromkeys(texts))
    if len(unique) > 1:
        report.note(who, FLAGGED, f"{gene}: {len(unique)} diplotypes fit, taken as equally probable")
    _compare(gene, unique, entry, report, who)
    return of_gene(gene, {text: 1 / len(unique) for text in unique}, where)


def _diplotypes(entry: Any, where: str) -> list[str]:
    """The labels of what was called. A phenotype without a diplotype is not enough for a covariate."""
    if not isinstance(entry, dict) or not isinstance(entry.get("sourceDiplotypes", []), list):
        raise TwinError(f"{where}: not as PharmCAT 2 or 3 writes a gene; write the file again with PharmCAT")
    found = []
    for one in _called(entry):
        label = one.get("label")
        pair = [a.get("name") if isinstance(a, dict) else None for a in (one.get("allele1"), one.get("allele2"))]
        if None not in pair:  # a label may leave out what the names say
            found.append(f"{pair[0]}/{pair[1]}")
        elif isinstance(label, str):
            found.append(label)
    return [text for text in found if "unknown" not in text.lower()]


def _called(entry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What is to be used: DPYD's list of variants is summed up by PharmCAT in the recommendation's diplotypes."""
    source = entry.get("sourceDiplotypes") or []
    pairs = [d for d in source if isinstance(d, dict) and isinstance(d.get("allele2"), dict)]
    return pairs or [d for d in entry.get("recommendationDiplotypes") or [] if isinstance(d, dict)]


def _compare(gene: str, texts: Sequence[str], entry: Mapping[str, Any], report: Report, who: str) -> None:
    """PharmCAT's own phenotype beside ours: its tables may be of another year."""
    theirs = {p for d in _called(entry) for p in d.get("phenotypes") or [] if isinstance(p, str)}
    ours = {functions.phenotype(gene, text) for text in texts}
    if theirs - {"n/a", "No Result"} and theirs != ours:
        report.note(who, FLAGGED, f"{gene}: PharmCAT's phenotype is not that of our tables; ours is used")
