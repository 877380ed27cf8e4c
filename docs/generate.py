"""Writes the generated parts of docs/models/: parameter tables, reference tables, and the evidence table.

    python docs/generate.py                 parameter tables (fast)
    python docs/generate.py --references    also runs every model against the numbers known about it
    python docs/generate.py --only NAME     fills the pages of these models alone (may be repeated)
    python docs/generate.py --demo          runs the README's scenario; its table and figure as they come out
    python docs/generate.py --check         writes nothing; exit code 1 if a page is stale

What is generated stands between markers such as `<!-- parameters -->` and `<!-- /parameters -->`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "models"
DEMO = "scenarios/warfarin/genotype_guided.yaml"
sys.path.insert(0, str(ROOT))

from tests.reference import modules  # noqa: E402
from twin.library import model_classes  # noqa: E402
from twin.model import DiseaseModel, Evidence  # noqa: E402

# Reference modules that are no model of their own, and the page that shows them.
_BORROWED = {"type1_diabetes_replaybg": ("glucose_monitor",)}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in row) + " |" for row in lines
    )


def fill(page: str, section: str, content: str) -> str:
    """The page with the content between the section's markers; a lone opening marker gets its closing one."""
    opening, closing = f"<!-- {section} -->", f"<!-- /{section} -->"
    if opening not in page:
        raise SystemExit(f"a page has no '{opening}' marker")
    if closing not in page:
        page = page.replace(opening, f"{opening}\n{closing}")
    before, rest = page.split(opening, 1)
    after = rest.split(closing, 1)[1]
    return f"{before}{opening}\n{content}\n{closing}{after}"


def parameters(kind: type[DiseaseModel]) -> str:
    """What the model declares about its parameters."""
    return table(
        ("name", "value", "unit", "between patients", "meaning", "source", "evidence"),
        (
            [
                f"`{name}`",
                f"{p.value:g}",
                "" if p.unit == "1" else p.unit,
                p.spread.describe() if p.spread else "",
                p.meaning,
                p.source,
                p.evidence,
            ]
            for name, p in kind.parameters().items()
        ),
    )


def references(names: Sequence[str]) -> str:
    """Known numbers against ours. Takes as long as the simulations behind it."""
    rows = []
    for name in names:
        module = modules()[name]
        ours = module.compute()
        for known in module.REFERENCES:
            allowed = f"{100 * known.tolerance:g} %" if known.relative else f"{known.tolerance:g}"
            value = ours[known.what]
            agrees = "yes" if known.agrees(value) else "NO"
            rows.append(
                [known.what, f"{known.value:g}", known.source, _as_printed(value, known.value), allowed, agrees]
            )
    return table(("what", "known", "source", "ours", "allowed", "agrees"), rows)


def _as_printed(ours: float, known: float) -> str:
    """Our number with one digit more than the known one has, and at least four."""
    digits = len(f"{known:g}".replace(".", "").lstrip("-0"))
    return f"{ours:.{max(4, digits + 1)}g}"


def evidence(pages: Mapping[str, str]) -> str:
    """How many parameters of each model were read where, and how many known numbers are reproduced."""
    rows = [
        [
            f"[`{name}`]({name}.md)",
            kind.area,
            ", ".join(kind.modalities()),
            *map(str, kind.evidence().values()),
            *_reproduced(pages[name]),
        ]
        for name, kind in sorted(model_classes().items(), key=lambda found: (found[1].area, found[0]))
        if name in pages
    ]
    return table(("model", "area", "measured by", *map(str, Evidence), "PAPER reproduced", "CHK reproduced"), rows)


def _reproduced(page: str) -> list[str]:
    """Counted in the page's own table, so that it says what was last computed."""
    shown = []
    for source in ("PAPER", "CHK"):
        verdicts = re.findall(rf"^\| .* \| {source} \| .* \| (yes|NO) \|$", page, re.MULTILINE)
        shown.append(f"{verdicts.count('yes')} of {len(verdicts)}" if verdicts else "none known")
    return shown


def generate(*, with_references: bool, only: Sequence[str] = ()) -> dict[Path, str]:
    """Every page's text as it should be."""
    pages: dict[str, str] = {}
    for name, kind in model_classes().items():
        path = PAGES / f"{name}.md"
        if not path.exists():  # a model of another package
            continue
        page = path.read_text(encoding="utf-8")
        if not only or name in only:
            page = fill(page, "parameters", parameters(kind))
            if with_references:
                page = fill(page, "references", references([name, *_BORROWED.get(name, ())]))
        pages[name] = page
    index = PAGES / "index.md"
    found = {PAGES / f"{name}.md": page for name, page in pages.items()}
    return found | {index: fill(index.read_text(encoding="utf-8"), "evidence", evidence(pages))}


def demo() -> None:
    """The README's table and figure, from a run of its command."""
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            [sys.executable, "-m", "cli.main", "simulate", DEMO, "--out", folder],
            cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        shutil.copy(Path(folder) / Path(DEMO).stem / "figure.png", ROOT / "docs" / "figures" / "warfarin.png")
        shown = ran.stdout.replace(folder, "results").strip()
    readme = ROOT / "README.md"
    readme.write_text(fill(readme.read_text(), "demo", f"```\n{shown}\n```"))


def main() -> int:
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--references", action="store_true", help="also the tables of known numbers (a minute or so)")
    reader.add_argument("--only", action="append", default=[], metavar="NAME", help="fill this model's page alone")
    reader.add_argument("--demo", action="store_true", help="also the README's table and figure")
    reader.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    asked = reader.parse_args()
    stale = [
        (path, text)
        for path, text in generate(with_references=asked.references, only=asked.only).items()
        if path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        print(f"{path.relative_to(ROOT)}: {'stale; run python docs/generate.py' if asked.check else 'written'}")
        if not asked.check:
            path.write_text(text, encoding="utf-8")
    if asked.demo and not asked.check:
        demo()
    return 1 if asked.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
