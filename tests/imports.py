"""Which file imports which: `python -m tests.imports` prints the rooms of the house, what each stands on, and circles.

Read from the source, so an import inside a function or under TYPE_CHECKING counts like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("twin", "calibration", "cli")
Graph = Mapping[str, set[str]]


def modules() -> dict[str, Path]:
    """Every module by its dotted name; a package goes by its own."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imported(path: Path, root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """The module and the name of each import in a file, wherever in it; the name is empty if the module is meant."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *((node.module,) if node.module else ())])
            yield from ((module, alias.name) for alias in node.names)


def graph() -> dict[str, set[str]]:
    """Each module of ours, and those of ours that it imports."""
    known = modules()
    found: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        for module, inside in imported(path):
            meant = next((one for one in (f"{module}.{inside}", module) if one in known), None)
            if meant and meant != name:
                found[name].add(meant)
    return found


def room(module: str) -> str:
    """The folder of `twin` that a module stands in, or the file itself if it stands loose; else the package."""
    return ".".join(module.split(".")[:2]) if module.startswith("twin.") else module.split(".")[0]


def rooms(modules: Graph) -> dict[str, set[str]]:
    """The same of rooms. The face of `twin` itself hands on names from everywhere, and is none."""
    found: dict[str, set[str]] = {}
    for name, imports in modules.items():
        if name != "twin":
            others = {room(one) for one in imports if one != "twin"} - {room(name)}
            found.setdefault(room(name), set()).update(others)
    return found


def circles(arrows: Graph) -> list[list[str]]:
    """Modules that reach themselves, those of each circle together."""
    reach = {name: _reached(arrows, name) for name in arrows}
    among = {name: frozenset(one for one in reach[name] if name in reach[one]) for name in arrows}
    return sorted(sorted(circle) for circle in set(among.values()) if circle)


def _reached(arrows: Graph, name: str) -> set[str]:
    found: set[str] = set()
    left = list(arrows[name])
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += arrows.get(one, ())
    return found


def floors(arrows: Graph) -> list[list[str]]:
    """What imports nothing, then what imports only that, and so on."""
    found: list[list[str]] = []
    left, below = dict(arrows), set[str]()
    while left:
        ready = sorted(name for name, imports in left.items() if imports <= below)
        if not ready:
            raise ValueError(f"a circle: {circles(left)}")
        found.append(ready)
        below |= set(ready)
        left = {name: imports for name, imports in left.items() if name not in below}
    return found


def lines(names: Iterable[str]) -> int:
    """How many lines these modules have."""
    known = modules()
    return sum(len(known[name].read_text(encoding="utf-8").splitlines()) for name in names)


def main() -> None:
    every = graph()
    for circle in circles(every):
        print("circle:", ", ".join(circle))
    between = rooms(every)
    for number, floor in enumerate(floors(between)):
        for name in floor:
            inside = [one for one in every if one != "twin" and room(one) == name]
            stands_on = ", ".join(sorted(between[name])) or "the ground"
            print(f"{number:2}  {name} ({len(inside)} files, {lines(inside):,} lines) on {stands_on}")


if __name__ == "__main__":
    main()
