"""Genome readers: CPIC's tables, hand-worked distributions, and files written by hand in every form that occurs."""

import contextlib
import csv
import gzip
import json
import zlib

import pytest

from tests.ingest.test_fhir_hostile import changed, places
from twin.errors import TwinError
from twin.ingest import genome
from twin.ingest.chart import Code
from twin.ingest.genome import functions, pharmcat, phenoconvert, sites, table, vcf
from twin.ingest.privacy import pseudonym
from twin.ingest.report import CONVERTED, DROPPED, FLAGGED, READ

HEAD = "##fileformat=VCFv4.2\n##contig=<ID=chr10,assembly={assembly}>\n"
BUILD = {"GRCh38": 0, "GRCh37": 1}


def vcf_text(records, assembly="GRCh38", samples=("S1",), extra=""):
    """A VCF of (rsid, genotype, ...changes of the record), written from the table."""
    lines = []
    for rsid, calls, *changes in records:
        site = next(s for s in sites.SITES if s.rsid == rsid)
        cells = {
            "chrom": "chr" + site.chromosome, "pos": site.position(assembly), "id": ".",
            "ref": site.reference(assembly), "alt": site.alternate(assembly), "qual": ".", "filter": "PASS",
            "info": ".", "format": "GT",
        }  # fmt: skip
        for change in changes:
            cells |= change
        calls = calls if isinstance(calls, tuple) else (calls,)
        lines.append("\t".join([*map(str, cells.values()), *calls]))
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + "\t".join(samples)
    return HEAD.format(assembly=assembly) + extra + columns + "\n" + "\n".join(lines) + "\n"


def written(folder, text, name="ana.vcf"):
    path = folder / name
    path.write_text(text)
    return path


def values(charts, which=0):
    return {(r.codes[0].system, r.codes[0].value): r.value for r in charts[which].readings}


def complete(gene, **genotypes):
    """Every site of a gene with a call; 0/0 of the usual base where nothing else is said."""
    return [(s.rsid, genotypes.get(s.rsid, "0/0")) for s in sites.sites(gene)]


# --- tables -------------------------------------------------------------------------------------------


def test_functions_agree_with_cpic(shared_data):
    """Every allele that CPIC's file has for a gene of ours, both ways."""
    with open(shared_data / "pgx_cpic" / "allele_function.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["gene"] in functions.GENES and row["gene"] != "VKORC1"]
    theirs = {}
    for row in rows:
        word = row["function"].split()[0].lower().replace("unknown", "uncertain")
        theirs.setdefault(row["gene"], {})[row["allele"]] = word
    assert sum(map(len, theirs.values())) == 262
    for gene, alleles in theirs.items():
        assert functions.alleles(gene) == alleles, gene
    for row in rows:
        if row["activity_value"] not in ("", "n/a"):
            usual = "Reference" if row["gene"] == "DPYD" else "*1"
            score = functions.activity(row["gene"], f"{usual}/{row['allele']}")
            assert score == 1.0 + float(row["activity_value"])


def test_phenotypes_agree_with_cpic(shared_data):
    """690 diplotypes of CYP2C19, CYP3A5 and VKORC1."""
    with open(shared_data / "pgx_cpic" / "diplotype_phenotype.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 690
    for row in rows:
        text = functions.diplotype(row["gene"], row["diplotype"])
        assert functions.phenotype(row["gene"], text) == row["phenotype"], row


@pytest.mark.parametrize(
    ("gene", "text", "score", "phenotype"),
    [
        ("CYP2C9", "*1/*1", 2.0, "Normal Metabolizer"),
        ("CYP2C9", "*1/*2", 1.5, "Intermediate Metabolizer"),
        ("CYP2C9", "*2/*2", 1.0, "Intermediate Metabolizer"),
        ("CYP2C9", "*2/*3", 0.5, "Poor Metabolizer"),
        ("CYP2C9", "*3/*3", 0.0, "Poor Metabolizer"),
        ("CYP2C9", "*1/*7", None, "Indeterminate"),
        ("DPYD", "Reference/c.1905+1G>A (*2A)", 1.0, "Intermediate Metabolizer"),
        ("DPYD", "c.2846A>T/c.1129-5923C>G", 1.0, "Intermediate Metabolizer"),
        ("DPYD", "c.1905+1G>A (*2A)/c.2846A>T", 0.5, "Poor Metabolizer"),
        ("CYP2D6", "*1/*4", 1.0, "Intermediate Metabolizer"),
        ("CYP2D6", "*1x2/*2", 3.0, "Ultrarapid Metabolizer"),
        ("CYP2D6", "*4/*10", 0.25, "Intermediate Metabolizer"),
        ("TPMT", "*1/*3A", None, "Intermediate Metabolizer"),
        ("TPMT", "*3A/*8", None, "Possible Intermediate Metabolizer"),
        ("NUDT15", "*3/*3", None, "Poor Metabolizer"),
        ("CYP3A4", "*1/*22", None, "Intermediate Metabolizer"),
        ("CYP3A4", "*20/*22", None, "Poor Metabolizer"),
        ("UGT1A1", "*28/*28", None, "Poor Metabolizer"),
        ("UGT1A1", "*1/*80+*28", None, "Intermediate Metabolizer"),
    ],
)
def test_scores_and_phenotypes(gene, text, score, phenotype):
    """Hand-worked from CPIC's cut-offs."""
    assert functions.activity(gene, text) == score
    assert functions.phenotype(gene, text) == phenotype


def test_assemblies_differ_by_one_constant_a_gene():
    for gene in sites.GENES:
        assert len({site.grch37 - site.grch38 for site in sites.sites(gene)}) == 1, gene
    assert {s.grch37 - s.grch38 for s in sites.SITES if s.chromosome == "10"} == {1759757}
    assert {s.grch37 - s.grch38 for s in sites.SITES if s.chromosome == "7"} == {-402377}  # CYP3A4 and CYP3A5


def test_every_allele_has_a_site_a_function_and_a_frequency():
    for gene, alleles in sites.ALLELES.items():
        rsids = {site.rsid for site in sites.sites(gene)}
        assert set().union(*alleles.values()) == rsids
        assert set(sites.FREQUENCIES[gene]) == set(alleles)
        for population in sites.POPULATIONS:
            assert sum(sites.frequencies(gene, population).values()) == pytest.approx(1.0)
            assert min(sites.frequencies(gene, population).values()) > 0
        if gene != "VKORC1":
            assert set(alleles) < set(functions.alleles(gene))


def test_models_take_the_levels_as_they_are():
    from twin.disease.warfarin_hamberg2007 import CYP2C9, VKORC1

    assert {functions.diplotype("CYP2C9", text) for text in CYP2C9} == set(CYP2C9)
    assert {functions.diplotype("VKORC1", text) for text in VKORC1} == set(VKORC1)
    assert functions.diplotype("CYP2C9", "*3/*1") == "*1/*3"


# --- VCF ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assembly", sites.ASSEMBLIES)
def test_a_complete_vcf_is_certain(tmp_path, assembly):
    swapped = "1/1" if assembly == "GRCh37" else "0/0"  # GRCh37's reference is CYP3A5*3: *1/*1 is 1/1 there
    records = [
        *complete("CYP2C9", rs1799853="0/1", rs1057910="0/1"), *complete("VKORC1", rs9923231="0/1"),
        *complete("CYP2C19", rs12248560="1/1"), *complete("CYP3A5", rs776746=swapped),
        *complete("DPYD", rs3918290="0/1"), *complete("TPMT", rs1800462="0/1"), *complete("NUDT15"),
    ]  # fmt: skip
    charts, report = vcf.read(written(tmp_path, vcf_text(records, assembly)))
    found = values(charts)
    assert found["gene", "CYP2C9"] == "*2/*3"
    assert found["activity", "CYP2C9"] == 0.5
    assert found["phenotype", "CYP2C9"] == "Poor Metabolizer"
    assert found["gene", "VKORC1"] == "GA"
    assert found["gene", "CYP2C19"] == "*17/*17"
    assert found["gene", "CYP3A5"] == "*1/*1"
    assert found["gene", "DPYD"] == "Reference/c.1905+1G>A (*2A)"
    assert found["activity", "DPYD"] == 1.0
    assert found["gene", "TPMT"] == "*1/*2"
    assert found["gene", "NUDT15"] == "*1/*1"
    assert report.total(READ) == 7
    assert report.total(FLAGGED) == 0


def test_unphased_tpmt_is_a_stated_distribution(tmp_path):
    """*1/*3A or *3B/*3C: by hand, 2 f(*1) f(*3A) against 2 f(*3B) f(*3C), Europeans."""
    records = complete("TPMT", rs1800460="0/1", rs1142345="0/1")
    charts, report = vcf.read(written(tmp_path, vcf_text(records)), genes=["TPMT"])
    cis, trans = (1 - 0.002 - 0.034 - 0.0005 - 0.005) * 0.034, 0.0005 * 0.005
    found = values(charts)
    assert found["gene", "TPMT"] == pytest.approx(
        {"*1/*3A": cis / (cis + trans), "*3B/*3C": trans / (cis + trans)}, rel=1e-12
    )
    assert found["phenotype", "TPMT"]["Poor Metabolizer"] == pytest.approx(trans / (cis + trans))
    assert "phase not known" in report.text()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("0|1", "0|1", "*1/*3A"),
        ("1|0", "1|0", "*1/*3A"),
        ("0|1", "1|0", "*3B/*3C"),
        ("1/1", "1/1", "*3A/*3A"),
        ("0/0", "0/1", "*1/*3C"),
    ],
)
def test_phase_decides(tmp_path, one, other, expected):
    records = complete("TPMT", rs1800460=one, rs1142345=other)
    charts, _ = vcf.read(written(tmp_path, vcf_text(records)), genes=["TPMT"])
    assert values(charts)["gene", "TPMT"] == expected


def test_phase_sets_that_differ_do_not_decide(tmp_path):
    form = {"format": "GT:PS"}
    records = [("rs1800460", "0|1:10", form), ("rs1142345", "0|1:20", form), ("rs1800462", "0/0")]
    charts, _ = vcf.read(written(tmp_path, vcf_text(records)), genes=["TPMT"])
    assert set(values(charts)["gene", "TPMT"]) == {"*1/*3A", "*3B/*3C"}
    records[1] = ("rs1142345", "0|1:10", form)
    charts, _ = vcf.read(written(tmp_path, vcf_text(records)), genes=["TPMT"])
    assert values(charts)["gene", "TPMT"] == "*1/*3A"


UNKNOWN = [
    ("no record", None, "1 of 1 sites not known"),
    ("no call", ("rs9923231", "./."), "has no call"),
    ("filter", ("rs9923231", "0/1", {"filter": "LowQual"}), "failed a filter"),
    ("sample filter", ("rs9923231", "0/1:q10", {"format": "GT:FT"}), "failed a filter"),
    ("genotype quality", ("rs9923231", "0/1:5", {"format": "GT:GQ"}), "low quality"),
    ("record quality", ("rs9923231", "0/1", {"qual": "3"}), "low quality"),
    ("haploid", ("rs9923231", "1"), "not a call of two chromosomes"),
]


@pytest.mark.parametrize(("case", "record", "said"), UNKNOWN, ids=[u[0] for u in UNKNOWN])
def test_what_is_not_known_is_weighed_by_frequency(tmp_path, case, record, said):
    """VKORC1, East Asian: A has 0.885, so GG, GA, AA are 0.115^2, 2 0.115 0.885, 0.885^2."""
    records = [("rs1057910", "0/0")] + ([record] if record else [])
    charts, report = vcf.read(written(tmp_path, vcf_text(records)), genes=["CYP2C9", "VKORC1"], population="east_asian")
    assert values(charts)["gene", "VKORC1"] == pytest.approx({"GG": 0.013225, "GA": 0.20355, "AA": 0.783225})
    assert said in report.text()


def test_a_missing_site_is_the_reference_only_where_that_is_declared(tmp_path):
    path = written(tmp_path, vcf_text([("rs9923231", "1/1")], "GRCh37"))
    charts, _ = vcf.read(path, absent="reference")
    assert values(charts)["gene", "CYP2C9"] == "*1/*1"
    assert values(charts)["gene", "CYP3A5"] == "*3/*3"  # GRCh37's own reference
    assert values(charts)["gene", "VKORC1"] == "AA"
    charts, _ = vcf.read(path)
    assert set(values(charts)) == {("gene", "VKORC1"), ("phenotype", "VKORC1")}
    charts, _ = vcf.read(path, genes=["CYP2C9", "VKORC1"])
    assert values(charts)["gene", "CYP2C9"]["*1/*1"] == pytest.approx((1 - 0.124 - 0.073 - 0.001 - 0.004) ** 2)


def test_a_reference_call_needs_no_quality_of_a_variant(tmp_path):
    records = [("rs9923231", "0/0:99", {"qual": "0", "format": "GT:GQ"})]
    charts, _ = vcf.read(written(tmp_path, vcf_text(records)))
    assert values(charts)["gene", "VKORC1"] == "GG"


def test_a_panel_leaves_out_what_it_excludes(tmp_path):
    records = [("rs1799853", "0/0"), ("rs1057910", "0/1")]
    path = written(tmp_path, vcf_text(records))
    charts, _ = vcf.read(path, genes=["CYP2C9"], alleles={"CYP2C9": ["*2", "*3"]})
    assert values(charts)["gene", "CYP2C9"] == "*1/*3"
    charts, _ = vcf.read(path, genes=["CYP2C9"])
    assert values(charts)["gene", "CYP2C9"]["*1/*3"] == pytest.approx(0.798 / 0.803, abs=1e-3)


def test_blocks_of_a_gvcf_are_calls(tmp_path):
    first, last = 94942000, 94982000
    block = {"pos": first, "ref": "A", "alt": "<NON_REF>", "info": f"END={last}", "format": "GT:GQ"}
    variant = {"alt": "C,<NON_REF>", "format": "GT:GQ"}
    text = vcf_text(
        [("rs1799853", "0/0:60", block), ("rs9923231", "0/1:99", {"alt": "T,<NON_REF>", "format": "GT:GQ"})]
    )
    charts, _ = vcf.read(written(tmp_path, text), genes=["CYP2C9", "VKORC1"])
    assert values(charts)["gene", "CYP2C9"] == "*1/*1"
    assert values(charts)["gene", "VKORC1"] == "GA"
    poor = vcf_text([("rs1799853", "0/0:3", block), ("rs9923231", "0/1:99", variant | {"alt": "T,<NON_REF>"})])
    charts, _ = vcf.read(written(tmp_path, poor), genes=["CYP2C9", "VKORC1"])
    assert len(values(charts)["gene", "CYP2C9"]) > 1


@pytest.mark.parametrize(
    ("change", "call", "expected"),
    [
        ({}, "0/1", "*1/*6"),
        ({"pos": 94949280, "ref": "TGA", "alt": "TG"}, "0/1", "*1/*6"),  # a base more on the left
        ({"ref": "GAAC", "alt": "GAC"}, "1/1", "*6/*6"),  # bases more on the right
        ({"alt": "G,GAA"}, "0/1", "*1/*6"),
    ],
)
def test_a_deletion_however_written(tmp_path, change, call, expected):
    records = [r if r[0] != "rs9332131" else (r[0], call, change) for r in complete("CYP2C9")]
    charts, _ = vcf.read(written(tmp_path, vcf_text(records)), genes=["CYP2C9"])
    assert values(charts)["gene", "CYP2C9"] == expected


def test_several_alleles_and_longer_records(tmp_path):
    records = [r for r in complete("CYP2C9") if r[0] not in ("rs1799853", "rs1057910")]
    records += [
        ("rs1799853", "0/2", {"alt": "G,T"}),
        ("rs1057910", "0/1", {"pos": 94981295, "ref": "TAG", "alt": "TCG"}),
    ]
    charts, _ = vcf.read(written(tmp_path, vcf_text(records)), genes=["CYP2C9"])
    assert values(charts)["gene", "CYP2C9"] == "*2/*3"


@pytest.mark.parametrize(
    ("change", "call"),
    [({"alt": "G"}, "0/1"), ({"alt": "<DEL>"}, "0/1"), ({"alt": "T,*"}, "1/2")],
    ids=["another base", "symbolic", "spanning deletion"],
)
def test_what_no_allele_has_is_no_reading(tmp_path, change, call):
    records = [r if r[0] != "rs1799853" else (r[0], call, change) for r in complete("CYP2C9")]
    charts, report = vcf.read(written(tmp_path, vcf_text(records)), genes=["CYP2C9"])
    assert not charts[0].readings
    assert report.total(DROPPED) == 1


def test_the_minus_strand_is_turned_or_refused(tmp_path):
    minus = {"ref": "G", "alt": "A"}
    charts, report = vcf.read(written(tmp_path, vcf_text([("rs9923231", "0/1", minus)])), genes=["VKORC1"])
    assert values(charts)["gene", "VKORC1"] == "GA"
    assert report.total(CONVERTED) == 1
    with pytest.raises(TwinError, match=r"line 4.*other strand or swapped alleles"):
        vcf.read(written(tmp_path, vcf_text([("rs28371686", "0/1", {"ref": "G", "alt": "C"})])), genes=["CYP2C9"])


def test_several_samples(tmp_path):
    text = vcf_text([("rs9923231", ("0/0", "1/1"))], samples=("A", "B"))
    path = written(tmp_path, text)
    charts, _ = vcf.read(path, sample="all", genes=["VKORC1"])
    assert [values(charts, i)["gene", "VKORC1"] for i in (0, 1)] == ["GG", "AA"]
    charts, _ = vcf.read(path, sample="B", patient="Ana Doe", genes=["VKORC1"])
    assert values(charts)["gene", "VKORC1"] == "AA"
    assert charts[0].id == pseudonym("Ana Doe")


def test_a_gzipped_vcf_and_its_rsids(tmp_path):
    text = vcf_text([("rs9923231", "0/1", {"id": "rs9923231"})]).replace("assembly=GRCh38", "length=133797422")
    path = tmp_path / "ana.vcf.gz"
    path.write_bytes(gzip.compress(text.encode()))
    charts, _ = genome.read(path, genes=["VKORC1"])
    assert values(charts)["gene", "VKORC1"] == "GA"
    bare = text.replace("##contig=<ID=chr10,length=133797422>\n", "")  # the rsid's place is the only hint
    charts, _ = genome.read(written(tmp_path, bare), genes=["VKORC1"])
    assert values(charts)["gene", "VKORC1"] == "GA"


GOOD = vcf_text([("rs9923231", "0/1")])
HOSTILE = [
    ("without the site", vcf_text([("rs9923231", "0/1", {"pos": 5})]), {}, "none of the sites"),
    ("no header", GOOD.split("\n", 3)[3], {}, "line 1: not a VCF"),
    ("no column line", GOOD.replace("#CHROM", "CHROM"), {}, "line 3: no line '#CHROM"),
    ("only a header", "##fileformat=VCFv4.2\n", {}, "ends within its header"),
    ("no assembly", GOOD.replace(",assembly=GRCh38", ""), {}, "which assembly"),
    ("header and option differ", GOOD, {"assembly": "hg19"}, "header says GRCh38, the option GRCh37"),
    ("unknown assembly", GOOD, {"assembly": "T2T"}, "assembly 'T2T' is not known"),
    (
        "positions of the other assembly",
        vcf_text([("rs9923231", "0/1", {"id": "rs9923231"})], "GRCh37").replace("assembly=GRCh37", "assembly=GRCh38"),
        {},
        "line 4: rs9923231 stands where GRCh37 has it",
    ),
    ("wrong reference base", vcf_text([("rs9923231", "0/1", {"ref": "A"})]), {}, r"line 4: rs9923231.*reference is A"),
    ("cut off in a line", GOOD[:-5], {}, "line 4: not as many columns"),
    ("position is text", vcf_text([("rs9923231", "0/1", {"pos": "x"})]), {}, "line 4: the position"),
    ("no such allele", vcf_text([("rs9923231", "0/3")]), {}, "line 4: a genotype names an allele"),
    ("no samples", GOOD.replace("\tFORMAT\tS1", "").replace("\tGT\t0/1", ""), {}, "no sample column"),
    ("two samples", vcf_text([("rs9923231", ("0/1", "0/1"))], samples=("A", "B")), {}, "2 samples and none named"),
    ("sample not there", GOOD, {"sample": "Jane Doe"}, "none of the file's 1"),
    ("two of one name", vcf_text([("rs9923231", ("0/1", "0/1"))], samples=("A", "A")), {}, "the same name"),
    ("CYP2D6 asked for", GOOD, {"genes": ["CYP2D6"]}, "CYP2D6 cannot be told.*give its diplotype"),
    ("unknown gene", GOOD, {"genes": ["CYP2C8"]}, "did you mean 'CYP2C"),
    ("unknown population", GOOD, {"population": "martian"}, "'martian' is none of"),
    ("empty", "", {}, "the file is empty"),
    ("binary", "##fileformat=VCFv4.2\n\0\0\0", {}, "line 2: not text"),
]


@pytest.mark.parametrize(("case", "text", "options", "said"), HOSTILE, ids=[h[0] for h in HOSTILE])
def test_hostile_vcf(tmp_path, case, text, options, said):
    with pytest.raises(TwinError, match=said) as raised:
        vcf.read(written(tmp_path, text), **{"genes": ["VKORC1"], **options})
    assert "\n" not in str(raised.value)
    assert "Jane" not in str(raised.value)


def test_hostile_compression(tmp_path):
    whole = gzip.compress(GOOD.encode())
    (tmp_path / "cut.vcf.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TwinError, match=r"cut\.vcf\.gz: the compressed file is cut off"):
        vcf.read(tmp_path / "cut.vcf.gz")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = HEAD.format(assembly="GRCh38").encode()
    bomb = packer.compress(start) + b"".join(packer.compress((b"#" * 1023 + b"\n") * 1024) for _ in range(64))
    (tmp_path / "bomb.vcf.gz").write_bytes(bomb + packer.flush())
    with pytest.raises(TwinError, match="expands more than 400 times"):
        vcf.read(tmp_path / "bomb.vcf.gz")
    with pytest.raises(TwinError, match="more than 100 bytes"):
        vcf.read(written(tmp_path, GOOD), most_bytes=100)


def test_options_of_another_kind_of_file(tmp_path):
    path = tmp_path / "called.csv"
    path.write_text("patient,gene,diplotype\nJane,TPMT,*1/*1\n")
    with pytest.raises(TwinError, match="option 'absent' is one of a VCF, not of a table of diplotypes"):
        genome.read(path, absent="reference")


# --- PharmCAT -----------------------------------------------------------------------------------------


def entry(gene, *pairs, phenotypes=()):
    """A gene's report as PharmCAT writes one."""
    called = [
        {
            "allele1": {"gene": gene, "name": one}, "allele2": {"gene": gene, "name": other}, "label": f"{one}/{other}",
            "phenotypes": list(phenotypes), "activityScore": None,
        }
        for one, other in pairs
    ]  # fmt: skip
    return {"geneSymbol": gene, "callSource": "MATCHER", "sourceDiplotypes": called, "recommendationDiplotypes": called}


REPORTS = {
    "CYP2C9": entry("CYP2C9", ("*3", "*1"), phenotypes=["Intermediate Metabolizer"]),
    "VKORC1": entry("VKORC1", ("rs9923231 reference (C)", "rs9923231 variant (T)"), phenotypes=["-1639 AG"]),
    "CYP2C19": entry("CYP2C19", ("*2", "*17"), ("*4", "*17"), phenotypes=["Intermediate Metabolizer"]),
    "CYP2D6": entry("CYP2D6", ("Unknown", "Unknown"), phenotypes=["No Result"]),
    "TPMT": entry("TPMT", ("*1", "*99"), phenotypes=["Indeterminate"]),
    "ABCG2": entry("ABCG2", ("a", "b")),
}
LAYOUTS = {
    "phenotype 3.1": {"matcherMetadata": {"sampleId": "Jane Doe"}, "geneReports": REPORTS},
    "report 3.1": {"title": "Jane Doe", "pharmcatVersion": "v3.1.0", "genes": REPORTS, "drugs": {}},
    "phenotype 3.0": {"matcherMetadata": {"sampleId": "Jane Doe"}, "geneReports": {"CPIC": REPORTS, "DPWG": {}}},
    "report 2.9": {"title": "Jane Doe", "genes": {"CPIC": REPORTS, "DPWG": {}}},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pharmcat_layouts(tmp_path, layout):
    path = tmp_path / "ana.json"
    path.write_text(json.dumps(LAYOUTS[layout]))
    charts, report = genome.read(path)
    found = values(charts)
    assert charts[0].id == pseudonym("Jane Doe")
    assert found["gene", "CYP2C9"] == "*1/*3"
    assert found["activity", "CYP2C9"] == 1.0
    assert found["gene", "VKORC1"] == "GA"
    assert found["gene", "CYP2C19"] == {"*2/*17": 0.5, "*4/*17": 0.5}
    assert found["phenotype", "CYP2C19"] == "Intermediate Metabolizer"
    assert ("gene", "CYP2D6") not in found
    assert report.total(READ) == 3
    assert report.total(DROPPED) == 2  # CYP2D6 not called, TPMT*99 not in the table
    assert "Jane" not in report.text()


def test_pharmcats_variants_on_one_chromosome(tmp_path):
    """DPYD: the matcher names both of one chromosome; the recommendation has the least active of each."""
    matched = entry("DPYD", ("[c.85T>C (*9A) + c.496A>G]", "c.2846A>T"))
    matched["recommendationDiplotypes"] = entry("DPYD", ("c.496A>G", "c.2846A>T"))["sourceDiplotypes"]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"title": "x", "genes": {"DPYD": matched}}))
    charts, _ = pharmcat.read(path)
    assert values(charts)["gene", "DPYD"] == "c.496A>G/c.2846A>T"
    assert values(charts)["activity", "DPYD"] == 1.5


def test_pharmcats_other_phenotype_is_noted(tmp_path):
    path = tmp_path / "old.json"
    odd = {"CYP2C9": entry("CYP2C9", ("*1", "*3"), phenotypes=["Poor Metabolizer"])}
    path.write_text(json.dumps({"title": "x", "genes": odd}))
    assert pharmcat.read(path)[1].total(FLAGGED) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps({"metadata": {}, "results": []}), "matcher output"),
        (json.dumps({"resourceType": "Bundle"}), "no genes as PharmCAT"),
        (json.dumps([1]), "not a PharmCAT file"),
        (json.dumps({"title": "x", "genes": {"CYP2C9": 3}}), "x.json: CYP2C9: not as PharmCAT"),
        ('{"genes": {"CYP2C9"', "line 1: not JSON"),
        ('{"genes": {"CYP2C9": ' + "9" * 5000 + "}}", "a number of thousands of digits"),
        ('{"genes": ' + "[" * 200_000, "nested too deeply|not JSON"),
    ],
    ids=["matcher", "another kind", "a list", "a number", "cut off", "a long number", "deep"],
)
def test_hostile_pharmcat(tmp_path, text, said):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(TwinError, match=said):
        genome.read(path)


@pytest.mark.parametrize("at", list(places(LAYOUTS["report 3.1"])), ids=lambda at: ".".join(map(str, at)) or "all")
def test_anything_anywhere_in_a_report_of_pharmcat(tmp_path, at):
    """A number, a text or a list in any place: one sentence, or a chart."""
    path = tmp_path / "x.json"
    for junk in (5, "x", [5], {"a": 5}, None):
        path.write_text(json.dumps(changed(LAYOUTS["report 3.1"], at, junk)))
        with contextlib.suppress(TwinError):
            assert len(genome.read(path)[0]) == 1


# --- tables -------------------------------------------------------------------------------------------


def test_a_table_of_diplotypes(tmp_path):
    text = (
        "\ufeffPatient;Gene;Diplotype;Phenotype\r\n"
        "Jane;CYP2C9;*3/*1;Intermediate Metabolizer\r\n"
        "Jane;VKORC1;C/T;\r\n"
        "Jane;UGT1A1;*28/*28;Normal Metabolizer\r\n"
        "Jane;HLA-B;*57:01/*15:02;\r\n"
        "Joe;CYP2D6;*1x2/*4;\r\n"
        "Joe;CYP2D6;*4/*1x2;\r\n"
        "Joe;TPMT;.;\r\n"
    )
    path = tmp_path / "called.csv"
    path.write_bytes(text.encode())
    charts, report = genome.read(path)
    assert [c.id for c in charts] == [pseudonym("Jane"), pseudonym("Joe")]
    assert values(charts, 0)["gene", "CYP2C9"] == "*1/*3"
    assert values(charts, 0)["gene", "VKORC1"] == "GA"
    assert values(charts, 0)["phenotype", "UGT1A1"] == "Poor Metabolizer"
    assert values(charts, 1)["activity", "CYP2D6"] == 2.0
    assert report.total(FLAGGED) == 1
    assert report.total(DROPPED) == 2
    assert Code("gene", "CYP2C9") == charts[0].readings[0].codes[0]
    assert charts[0].readings[0].where == "called.csv: line 2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("patient,gene,diplotype\nJane,CYP2C9,*1/*99\n", "x.csv: line 2: CYP2C9 has no allele"),
        ("patient,gene,diplotype\nJane,CYP2C9,*1\n", "line 2: CYP2C9: a diplotype is two alleles"),
        ("patient,gene,diplotype\nJane,VKORC1,C/A\n", "line 2: VKORC1: not two bases"),
        ("patient,gene,diplotype\nJane,TPMT,*1/*1\nJane,TPMT,*1/*2\n", "line 3: TPMT of patient p-.*stands twice"),
        ("patient,gene,diplotype\n,TPMT,*1/*1\n", "line 2: no patient"),
        ("patient,gen,diplotype\nJane,TPMT,*1/*1\n", "no column 'gene'; rename the one"),
        ("patient,gene,gene\nJane,TPMT,*1/*1\n", "columns 2 and 3 have one name"),
        ("patient,gene,diplotype\nJane,TPMT,*1/*1,x\n", "line 2: 4 cells where the header has 3"),
        ('patient,gene,diplotype\nJane,TPMT,"*1/*1\n', "broken quotes"),
    ],
)
def test_hostile_tables(tmp_path, text, said):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(TwinError, match=said) as raised:
        table.read(path)
    assert "Jane" not in str(raised.value)


# --- inhibitors ---------------------------------------------------------------------------------------


def test_phenoconversion():
    assert phenoconvert(2.0, "paroxetine") == 0.0
    assert phenoconvert(2.0, "duloxetine") == 1.0
    assert phenoconvert(1.5, "moderate") == 0.75
    assert phenoconvert(1.0, "weak") == 1.0
    assert phenoconvert(2.0, "fluconazole", "CYP2C9", factors={"moderate": 0.4}) == pytest.approx(0.8)
    with pytest.raises(TwinError, match="did you mean 'paroxetine'"):
        phenoconvert(2.0, "paroxetin")
    with pytest.raises(TwinError, match="no factor is agreed"):
        phenoconvert(2.0, "fluconazole", "CYP2C9")
