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
from ..text.lines import label, lines
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
    except ValueError as problem:  # Python reads no integer of thousands of digits
        raise TwinError(f"{name}: holds a number of thousands of digits; write it again with PharmCAT") from problem
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
    if not isinstance(entry, dict):
        raise TwinError(f"{where}: not as PharmCAT 2 or 3 writes a gene; write the file again with PharmCAT")
    # DPYD's variants on one chromosome are several to the matcher; what to act on is the least active of each.
    several = [_texts(gene, _pairs(entry, key, where)) for key in ("sourceDiplotypes", "recommendationDiplotypes")]
    texts = next((found for found in several if found), several[0])
    if not texts:
        report.note(who, DROPPED, f"{gene}: no call" if texts == [] else f"{gene}: a diplotype not in our table")
        return ()
    report.note(who, READ, gene)
    if len(texts) > 1:
        report.note(who, FLAGGED, f"{gene}: {len(texts)} diplotypes fit, taken as equally probable")
    _compare(gene, texts, entry, report, who)
    return of_gene(gene, {text: 1 / len(texts) for text in texts}, where)


def _pairs(entry: Mapping[str, Any], key: str, where: str) -> list[str]:
    """Two alleles of each diplotype that was called."""
    said = entry.get(key) or []
    if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
        raise TwinError(f"{where}: not as PharmCAT 2 or 3 writes a gene; write the file again with PharmCAT")
    found = []
    for one in said:
        pair = [one.get("allele1"), one.get("allele2")]
        names = [str(allele.get("name")) for allele in pair if isinstance(allele, dict)]
        if len(names) == 2 and "unknown" not in "".join(names).lower():
            found.append("/".join(names))
    return found


def _texts(gene: str, said: Sequence[str]) -> list[str] | None:
    """The diplotypes as models write them, each once; None where our table does not have one of them."""
    try:
        return list(dict.fromkeys(functions.diplotype(gene, text) for text in said))
    except TwinError:
        return None


def _compare(gene: str, texts: Sequence[str], entry: Mapping[str, Any], report: Report, who: str) -> None:
    """PharmCAT's own phenotype beside ours: its tables may be of another year."""
    said = entry.get("recommendationDiplotypes") or entry.get("sourceDiplotypes") or []
    named = [one.get("phenotypes") for one in said]
    theirs = {p for listed in named if isinstance(listed, list) for p in listed if isinstance(p, str)}
    ours = {functions.phenotype(gene, text) for text in texts}
    if theirs - {"n/a", "No Result"} and theirs != ours:
        report.note(who, FLAGGED, f"{gene}: PharmCAT's phenotype is not that of our tables; ours is used")
