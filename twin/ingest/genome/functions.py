"""What alleles do and what two of them make of a person: CPIC's functions, phenotypes and activity scores.

    phenotype("CYP2C9", "*1/*3")     # 'Intermediate Metabolizer'
    activity("CYP2C9", "*1/*3")      # 1.0

Functions: CPIC, www.clinpgx.org (CC0 1.0), tables of 2025-11-05. Not medical advice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...errors import TwinError, suggest

NORMAL, DECREASED, NO, INCREASED, UNCERTAIN = "normal", "decreased", "no", "increased", "uncertain"
Table = Mapping[str, tuple[str, ...]]


def _alleles(alleles: str) -> tuple[str, ...]:
    return tuple(alleles.split())


# 'uncertain' holds CPIC's 'uncertain' and 'unknown' function: the phenotypes are the same.
_OF_CYP2C9: Table = {
    NORMAL: ("*1", "*9"),
    DECREASED: _alleles("*2 *4 *5 *8 *11 *12 *14 *16 *23 *26 *28 *29 *30 *31 *37 *38 *44 *46 *50 *55 *61"),
    NO: _alleles("*3 *6 *13 *15 *24 *25 *33 *35 *39 *42 *43 *45 *52"),
    UNCERTAIN: _alleles(
        "*7 *10 *17 *18 *19 *20 *21 *22 *27 *32 *34 *36 *40 *41 *47 *48 *49 *51 *53 *54 *56 *57 *58 *59 *60 *62 *63"
        " *64 *65 *66 *67 *68 *69 *70 *71 *72 *73 *74 *75"
    ),
}
_OF_CYP2C19: Table = {
    NORMAL: _alleles("*1 *11 *13 *15 *18 *28 *38"),
    DECREASED: _alleles("*9 *10 *16 *19 *25 *26"),
    NO: _alleles("*2 *3 *4 *5 *6 *7 *8 *22 *24 *35 *36 *37"),
    INCREASED: ("*17",),
    UNCERTAIN: _alleles("*12 *14 *23 *29 *30 *31 *32 *33 *34 *39"),
}
_OF_TPMT: Table = {
    NORMAL: ("*1",),
    NO: _alleles("*2 *3A *3B *3C *4 *11 *14 *15 *23 *29 *41"),
    UNCERTAIN: _alleles(
        "*5 *6 *7 *8 *9 *10 *12 *13 *16 *17 *18 *19 *20 *21 *22 *24 *25 *26 *27 *28 *30 *31 *32 *33 *34 *35 *36 *37"
        " *38 *39 *40"
    ),
}
_OF_NUDT15: Table = {NORMAL: ("*1",), NO: ("*2", "*3", "*9"), UNCERTAIN: ("*4", "*5", "*6", "*7", "*8")}
# No guideline of CPIC: PharmGKB's table, as PharmCAT has it (rules of the Dutch working group).
_OF_CYP3A4: Table = {
    NORMAL: ("*1",),
    DECREASED: _alleles("*8 *11 *12 *13 *16 *17 *18 *22"),
    NO: _alleles("*6 *20 *26"),
}
_OF_CYP3A5: Table = {NORMAL: ("*1",), NO: ("*3", "*6", "*7"), UNCERTAIN: ("*8", "*9")}
_OF_UGT1A1: Table = {
    NORMAL: ("*1",),
    DECREASED: ("*6", "*27", "*28", "*37", "*80+*28", "*80+*37"),
    INCREASED: ("*36",),
    UNCERTAIN: ("*80",),
}
_OF_DPYD: Table = {
    NORMAL: (
        "Reference", "c.46C>G", "c.62G>A", "c.85T>C (*9A)", "c.313G>A", "c.343A>G", "c.451A>G", "c.496A>G", "c.498G>A",
        "c.525G>A", "c.775A>G", "c.929T>C", "c.934C>T", "c.967G>A", "c.1003G>T (*11)", "c.1108A>G", "c.1180C>T",
        "c.1181G>T", "c.1218G>A", "c.1260T>A", "c.1278G>T", "c.1294G>A", "c.1349C>T", "c.1358C>G", "c.1371C>T",
        "c.1403C>A", "c.1519G>A", "c.1543G>A", "c.1577C>G", "c.1601G>A (*4)", "c.1615G>A", "c.1627A>G (*5)",
        "c.1682G>T", "c.1796T>C", "c.1896T>C", "c.1905C>G", "c.1906A>C", "c.1990G>T", "c.2161G>A", "c.2186C>T",
        "c.2194G>A (*6)", "c.2195T>G", "c.2303C>A", "c.2336C>A", "c.2482G>A", "c.2582A>G", "c.2623A>C", "c.2656C>T",
        "c.2657G>A (*9B)", "c.2915A>G", "c.2921A>T", "c.2977C>T", "c.2978T>G", "c.3049G>A", "c.3061G>C", "c.3067C>A",
    ),
    NO: (
        "c.61C>T", "c.295_298delTCAT (*7)", "c.601A>C", "c.632A>G", "c.703C>T (*8)", "c.1024G>A", "c.1057C>T",
        "c.1156G>T (*12)", "c.1475C>T", "c.1484A>G", "c.1679T>G (*13)", "c.1774C>T", "c.1775G>A", "c.1777G>A",
        "c.1898delC (*3)", "c.1905+1G>A (*2A)", "c.2021G>A", "c.2639G>T", "c.2872A>G", "c.2933A>G", "c.2983G>T (*10)",
    ),
    DECREASED: (
        "c.557A>G", "c.868A>G", "c.1129-5923C>G", "c.1129-5923C>G, c.1236G>A (HapB3)", "c.1314T>G", "c.2279C>T",
        "c.2846A>T",
    ),
}  # fmt: skip
# CYP2D6 only through diplotypes that somebody called. Activity values: Caudle 2020, doi 10.1111/cts.12692.
_VALUES_OF_CYP2D6: Mapping[str, float] = {
    "*1": 1.0, "*2": 1.0, "*35": 1.0, "*9": 0.5, "*17": 0.5, "*29": 0.5, "*41": 0.5, "*10": 0.25,
    "*3": 0.0, "*4": 0.0, "*5": 0.0, "*6": 0.0, "*7": 0.0, "*8": 0.0, "*11": 0.0, "*12": 0.0, "*36": 0.0,
}  # fmt: skip

_FUNCTIONS: Mapping[str, Mapping[str, str]] = {
    gene: {allele: function for function, alleles in table.items() for allele in alleles}
    for gene, table in {
        "CYP2C9": _OF_CYP2C9, "CYP2C19": _OF_CYP2C19, "CYP3A4": _OF_CYP3A4, "CYP3A5": _OF_CYP3A5, "DPYD": _OF_DPYD,
        "NUDT15": _OF_NUDT15, "TPMT": _OF_TPMT, "UGT1A1": _OF_UGT1A1,
    }.items()
}  # fmt: skip
GENES = (*_FUNCTIONS, "CYP2D6", "VKORC1")

_ACTIVITY = {NORMAL: 1.0, DECREASED: 0.5, NO: 0.0}  # CYP2C9 and DPYD
_POOR, _INTERMEDIATE, _USUAL = "Poor Metabolizer", "Intermediate Metabolizer", "Normal Metabolizer"
_LIKELY, _POSSIBLE, UNKNOWN = "Likely Intermediate Metabolizer", "Possible Intermediate Metabolizer", "Indeterminate"
_BY_FUNCTIONS: Mapping[str, Mapping[frozenset[str], str]] = {
    "CYP2C19": {
        frozenset({INCREASED}): "Ultrarapid Metabolizer",
        frozenset({INCREASED, NORMAL}): "Rapid Metabolizer",
        frozenset({NORMAL}): _USUAL,
        frozenset({NORMAL, DECREASED}): _LIKELY,
        frozenset({INCREASED, DECREASED}): _LIKELY,
        frozenset({DECREASED}): _LIKELY,
        frozenset({NORMAL, NO}): _INTERMEDIATE,
        frozenset({INCREASED, NO}): _INTERMEDIATE,
        frozenset({DECREASED, NO}): "Likely Poor Metabolizer",
        frozenset({NO}): _POOR,
    },
    "CYP3A4": {
        frozenset({NORMAL}): _USUAL,
        frozenset({NORMAL, DECREASED}): _INTERMEDIATE,
        frozenset({NORMAL, NO}): _INTERMEDIATE,
        frozenset({DECREASED}): _POOR,
        frozenset({DECREASED, NO}): _POOR,
        frozenset({NO}): _POOR,
    },
    "CYP3A5": {
        frozenset({NORMAL}): _USUAL,
        frozenset({NORMAL, NO}): _INTERMEDIATE,
        frozenset({NO}): _POOR,
        frozenset({NORMAL, UNCERTAIN}): _POSSIBLE,
    },
    "TPMT": {
        frozenset({NORMAL}): _USUAL,
        frozenset({NORMAL, NO}): _INTERMEDIATE,
        frozenset({NO}): _POOR,
        frozenset({NO, UNCERTAIN}): _POSSIBLE,
    },
    "UGT1A1": {
        frozenset({NORMAL}): _USUAL,
        frozenset({INCREASED}): _USUAL,
        frozenset({NORMAL, INCREASED}): _USUAL,
        frozenset({NORMAL, DECREASED}): _INTERMEDIATE,
        frozenset({INCREASED, DECREASED}): _INTERMEDIATE,
        frozenset({DECREASED}): _POOR,
    },
}
_RULES = {**_BY_FUNCTIONS, "NUDT15": _BY_FUNCTIONS["TPMT"]}
_VKORC1 = {"GG": "-1639 GG", "GA": "-1639 AG", "AA": "-1639 AA"}
_COPIES = re.compile(r"(\*\d+)x(\d+)")


def alleles(gene: str) -> Mapping[str, str]:
    """The function of each allele of a gene that we know."""
    return _FUNCTIONS.get(gene, {})


def diplotype(gene: str, text: str) -> str:
    """A diplotype as models write it: lower allele first, VKORC1 as -1639 G and A; an error where it is unknown."""
    if gene not in GENES:
        raise TwinError(f"gene '{gene}' is not one that we know; {suggest(gene, GENES)}")
    if gene == "VKORC1":
        return _vkorc1(text)
    parts = [part.strip() for part in text.split("/")]
    if len(parts) != 2:
        raise TwinError(f"{gene}: a diplotype is two alleles with '/' between, such as *1/*3")
    for part in parts:
        if not _is_known(gene, part):
            raise TwinError(f"{gene} has no allele '{part[:40]}' in our table; write it as CPIC does, such as *1")
    return "/".join(sorted(parts, key=_rank))


def activity(gene: str, text: str) -> float | None:
    """The activity score of a diplotype; None for a gene without scores or an allele of uncertain function."""
    pair = text.split("/")
    if gene == "CYP2D6":
        return sum(_cyp2d6(part) for part in pair)
    if gene not in ("CYP2C9", "DPYD"):
        return None
    values = [_ACTIVITY.get(_FUNCTIONS[gene][part]) for part in pair]
    return None if None in values else sum(v for v in values if v is not None)


def phenotype(gene: str, text: str) -> str:
    """CPIC's phenotype of a diplotype, in CPIC's words."""
    if gene == "VKORC1":
        return _VKORC1[text]
    if gene in ("CYP2C9", "DPYD", "CYP2D6"):
        return _of_score(gene, activity(gene, text))
    functions = _FUNCTIONS[gene]
    return _RULES[gene].get(frozenset(functions[part] for part in text.split("/")), UNKNOWN)


def _of_score(gene: str, score: float | None) -> str:
    """Cut-offs: CYP2C9 and DPYD 2 and 1; CYP2D6 1.25 and 2.25 (Caudle 2020)."""
    if score is None:
        return UNKNOWN
    if gene == "CYP2D6":
        if score > 2.25:
            return "Ultrarapid Metabolizer"
        return _USUAL if score >= 1.25 else _INTERMEDIATE if score > 0 else _POOR
    return _USUAL if score >= 2 else _INTERMEDIATE if score >= 1 else _POOR


def _is_known(gene: str, allele: str) -> bool:
    if gene != "CYP2D6":
        return allele in _FUNCTIONS[gene]
    found = _COPIES.fullmatch(allele)
    return (found.group(1) if found else allele) in _VALUES_OF_CYP2D6


def _cyp2d6(allele: str) -> float:
    """A gene that is there several times works several times: *1x2 is 2."""
    found = _COPIES.fullmatch(allele)
    return _VALUES_OF_CYP2D6[found.group(1)] * int(found.group(2)) if found else _VALUES_OF_CYP2D6[allele]


def _rank(allele: str) -> tuple[int, int, str]:
    """*2 before *10, *3A before *3B, DPYD's Reference first and its variants by place."""
    found = re.search(r"\d+", allele)
    return (0 if allele in ("*1", "Reference") else 1, int(found.group()) if found else 0, allele)


def _vkorc1(text: str) -> str:
    """-1639 G and A are C and T on the plus strand: 'CT', 'G/A', '-1639 AG' and PharmCAT's words are all GA."""
    bases = re.sub(r"-?1639|rs9923231|reference|variant|[^A-Za-z]", "", text).upper()
    if len(bases) == 2 and set(bases) <= {"C", "T"}:
        bases = bases.translate(str.maketrans("CT", "GA"))
    if len(bases) != 2 or not set(bases) <= {"G", "A"}:
        raise TwinError("VKORC1: not two bases of rs9923231; write GG, GA or AA (-1639) or CC, CT, TT (plus strand)")
    return "".join(sorted(bases, reverse=True))
