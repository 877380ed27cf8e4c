"""docs/ingest.md says what the genome, imaging and wearable readers take, and its table of sites is the one in use."""

import inspect
import re
from pathlib import Path

import pytest

from twin.ingest import genome, imaging, wearable
from twin.ingest.genome import functions, sites

PAGE = (Path(__file__).parents[2] / "docs" / "ingest.md").read_text(encoding="utf-8")


def section(title):
    return re.split(r"^## ", PAGE.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    ("title", "reader"), [("Genome", genome.read), ("Imaging", imaging.read), ("Wearables", wearable.read)]
)
def test_every_option_is_described(title, reader):
    said = set(re.findall(r"`([a-z_]+)[`:]", section(title)))
    options = {p.name for p in inspect.signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY}
    assert options - said <= ({"patient"} if title == "Imaging" else set())


def test_the_table_of_sites():
    cells = [
        [c.strip() for c in line.strip("|").split("|")] for line in section("Genome").splitlines() if "| rs" in line
    ]
    assert len(cells) == len(sites.SITES) == 22
    for site, (gene, alleles, rsid, chromosome, grch37, grch38, bases, function) in zip(
        sites.SITES, cells, strict=True
    ):
        assert (gene, rsid, chromosome) == (site.gene, site.rsid, site.chromosome)
        assert (int(grch37), int(grch38), bases) == (site.grch37, site.grch38, f"{site.usual}>{site.variant}")
        assert alleles.split(", ") == [a for a, rsids in sites.ALLELES[gene].items() if rsid in rsids]
        for allele in alleles.split(", "):
            assert function.split()[0] == functions.alleles(gene).get(allele, "higher")


def test_the_pages_python_runs():
    (block,) = re.findall(r"```py\n(.*?)```", section("Genome"), re.DOTALL)
    found = {}
    exec(compile(block.replace('\nphenoconvert(2.0, "p', '\nfirst = phenoconvert(2.0, "p'), "page", "exec"), found)
    assert found["first"] == 0.0
