"""Where alleles are defined: the one table of sites, their bases on the plus strand, and how common alleles are.

Positions and bases on GRCh38: PharmVar and CPIC as in PharmCAT's positions (release of 2025-11); on GRCh37: dbSNP. In
each gene here the two assemblies differ by one constant (tests/ingest/test_genome.py). CYP3A5*3 is a trap: GRCh37 has
the variant base itself as its reference.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

ASSEMBLIES = ("GRCh37", "GRCh38")


@dataclasses.dataclass(frozen=True)
class Site:
    """A place where alleles of a gene differ. `usual` is the base of *1, on the plus strand."""

    gene: str
    rsid: str
    chromosome: str
    grch37: int
    grch38: int
    usual: str
    variant: str
    swapped37: bool = False  # GRCh37's reference genome has the variant base

    def position(self, assembly: str) -> int:
        """Where the site is, counted from 1 as in a VCF."""
        return self.grch38 if assembly == "GRCh38" else self.grch37

    def reference(self, assembly: str) -> str:
        """The reference genome's base."""
        return self.variant if self.swapped37 and assembly == "GRCh37" else self.usual

    def alternate(self, assembly: str) -> str:
        """The other base."""
        return self.usual if self.swapped37 and assembly == "GRCh37" else self.variant


SITES = (
    Site("CYP2C9", "rs1799853", "10", 96702047, 94942290, "C", "T"),
    Site("CYP2C9", "rs7900194", "10", 96702066, 94942309, "G", "A"),
    Site("CYP2C9", "rs9332131", "10", 96709038, 94949281, "GA", "G"),
    Site("CYP2C9", "rs28371685", "10", 96740981, 94981224, "C", "T"),
    Site("CYP2C9", "rs1057910", "10", 96741053, 94981296, "A", "C"),
    Site("CYP2C9", "rs28371686", "10", 96741058, 94981301, "C", "G"),
    Site("CYP2C19", "rs12248560", "10", 96521657, 94761900, "C", "T"),
    Site("CYP2C19", "rs4986893", "10", 96540410, 94780653, "G", "A"),
    Site("CYP2C19", "rs4244285", "10", 96541616, 94781859, "G", "A"),
    Site("CYP3A4", "rs35599367", "7", 99366316, 99768693, "G", "A"),
    Site("CYP3A5", "rs41303343", "7", 99250393, 99652770, "T", "TA"),
    Site("CYP3A5", "rs10264272", "7", 99262835, 99665212, "C", "T"),
    Site("CYP3A5", "rs776746", "7", 99270539, 99672916, "T", "C", swapped37=True),
    Site("DPYD", "rs67376798", "1", 97547947, 97082391, "T", "A"),
    Site("DPYD", "rs3918290", "1", 97915614, 97450058, "C", "T"),
    Site("DPYD", "rs55886062", "1", 97981343, 97515787, "A", "C"),
    Site("DPYD", "rs75017182", "1", 98045449, 97579893, "G", "C"),
    Site("NUDT15", "rs116855232", "13", 48619855, 48045719, "C", "T"),
    Site("TPMT", "rs1142345", "6", 18130918, 18130687, "T", "C"),
    Site("TPMT", "rs1800460", "6", 18139228, 18138997, "C", "T"),
    Site("TPMT", "rs1800462", "6", 18143955, 18143724, "C", "G"),
    Site("VKORC1", "rs9923231", "16", 31107689, 31096368, "C", "T"),
)
GENES = tuple(dict.fromkeys(site.gene for site in SITES))
ONLY_CALLED = {
    "CYP2D6": "copies and hybrids of the gene", "UGT1A1": "*28, a repeat",
}  # fmt: skip

# Which sites carry the variant base in each allele; the usual allele carries none. NUDT15*2 has the base of *3 too and
# the same function, so that one site cannot and need not tell them apart.
USUAL = {"DPYD": "Reference", "VKORC1": "G"}
ALLELES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "CYP2C9": {
        "*2": frozenset({"rs1799853"}),
        "*3": frozenset({"rs1057910"}),
        "*5": frozenset({"rs28371686"}),
        "*6": frozenset({"rs9332131"}),
        "*8": frozenset({"rs7900194"}),
        "*11": frozenset({"rs28371685"}),
    },
    "CYP2C19": {
        "*2": frozenset({"rs4244285"}),
        "*3": frozenset({"rs4986893"}),
        "*17": frozenset({"rs12248560"}),
    },
    "CYP3A4": {"*22": frozenset({"rs35599367"})},
    "CYP3A5": {
        "*3": frozenset({"rs776746"}),
        "*6": frozenset({"rs10264272"}),
        "*7": frozenset({"rs41303343"}),
    },
    "DPYD": {
        "c.1905+1G>A (*2A)": frozenset({"rs3918290"}),
        "c.1679T>G (*13)": frozenset({"rs55886062"}),
        "c.2846A>T": frozenset({"rs67376798"}),
        "c.1129-5923C>G": frozenset({"rs75017182"}),
    },
    "NUDT15": {"*3": frozenset({"rs116855232"})},
    "TPMT": {
        "*2": frozenset({"rs1800462"}),
        "*3A": frozenset({"rs1800460", "rs1142345"}),
        "*3B": frozenset({"rs1800460"}),
        "*3C": frozenset({"rs1142345"}),
    },
    "VKORC1": {"A": frozenset({"rs9923231"})},
}

POPULATIONS = ("european", "east_asian", "african")
# Allele frequencies in POPULATIONS. CYP2C9, VKORC1: 1000 Genomes, PMC6562764 table 1. CYP2C19: 1000 Genomes,
# PMC8492395 table 2. CYP3A4, CYP3A5: Zhou 2017, doi 10.1002/cpt.690, table 5 (CYP3A4*22 in Africans: 1 of 1,322,
# PMC7235792 table 1). TPMT, NUDT15: CPIC, as in PMC7708673 table 1 (NUDT15 with *2; *3B not given there). DPYD:
# European carriers 1.6, 0.1, 0.7 and 4.7 % as CPIC 2017 (doi 10.1002/cpt.911) says them, halved; other populations
# assumed rare. Where a table says none, or nothing, RAREST.
RAREST = 0.0005  # half of one in the thousand chromosomes that these studies have
FREQUENCIES: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "CYP2C9": {
        "*2": (0.124, 0.001, 0.008),
        "*3": (0.073, 0.034, 0.002),
        "*5": (0.0, 0.0, 0.017),
        "*6": (0.0, 0.0, 0.008),
        "*8": (0.002, 0.0, 0.053),
        "*11": (0.002, 0.0, 0.024),
    },
    "CYP2C19": {"*2": (0.1451, 0.3125, 0.1702), "*3": (0.0, 0.0556, 0.0023), "*17": (0.2237, 0.0149, 0.2352)},
    "CYP3A4": {"*22": (0.050, 0.0, 0.0008)},
    "CYP3A5": {"*3": (0.943, 0.713, 0.180), "*6": (0.003, 0.0, 0.154), "*7": (0.0, 0.0, 0.103)},
    "DPYD": {
        "c.1905+1G>A (*2A)": (0.008, 0.0, 0.0),
        "c.1679T>G (*13)": (0.0005, 0.0, 0.0),
        "c.2846A>T": (0.0035, 0.0, 0.0),
        "c.1129-5923C>G": (0.0235, 0.0, 0.0),
    },
    "NUDT15": {"*3": (0.002, 0.096, 0.0)},
    "TPMT": {
        "*2": (0.002, 0.0, 0.005), "*3A": (0.034, 0.0, 0.008), "*3B": (0.0, 0.0, 0.0), "*3C": (0.005, 0.016, 0.024),
    },
    "VKORC1": {"A": (0.388, 0.885, 0.054)},
}  # fmt: skip


def sites(gene: str) -> tuple[Site, ...]:
    """The sites of a gene, by place."""
    return tuple(site for site in SITES if site.gene == gene)


def frequencies(gene: str, population: str, among: tuple[str, ...] | None = None) -> dict[str, float]:
    """How common each allele is; the usual one has the rest. `among` leaves out those that are known to be absent."""
    place = POPULATIONS.index(population)
    rare = {
        allele: max(by_population[place], RAREST)
        for allele, by_population in FREQUENCIES[gene].items()
        if among is None or allele in among
    }
    return {USUAL.get(gene, "*1"): 1.0 - sum(rare.values()), **rare}
