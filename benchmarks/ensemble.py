"""How fast, and how exact, is simulate() on a workload, beside other tools? One JSON line each.

python benchmarks/ensemble.py                                              # W1, W2, W3 at sizes that take seconds
python benchmarks/ensemble.py --workload W2 --solver ensemble --cores 1 --all-peers
python benchmarks/ensemble.py --workload lorenz --dtype float32 --n 8388608 --peer cuda-fixed --peer cuda
"""

from __future__ import annotations

import os
import sys

import click

NAMES = ("W1", "W2", "W3", "lorenz")
PEER_NAMES = (
    "diffrax", "roadrunner", "numbalsoda", "scipy", "casadi", "c++", "cuda", "cuda-fast-math", "cuda-fixed",
)  # fmt: skip


def settle(cores: int | None) -> int:
    """Keep to so many cores and set JAX's environment; both count only before JAX is imported."""
    allowed = sorted(os.sched_getaffinity(0))
    if cores is not None:
        if not 1 <= cores <= len(allowed):
            raise click.UsageError(f"--cores {cores} is not between 1 and {len(allowed)}, the cores there are")
        os.sched_setaffinity(0, allowed[:cores])
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leave the GPU's memory to kernels beside ours
    from twin import fast_cpu  # imports no JAX

    fast_cpu()
    return cores or len(allowed)


@click.command()
@click.option("--workload", "names", type=click.Choice(NAMES), multiple=True, help="Which; W1, W2 and W3 by default.")
@click.option("--solver", help="Instead of the workload's own.")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), default="float64")
@click.option("--n", type=int, help="How many individuals.")
@click.option("--rtol", type=float, help="Relative tolerance: 1e-6, in float32 1e-5.")
@click.option("--atol", type=float, help="Absolute tolerance: 1e-10, in float32 1e-7.")
@click.option("--repeats", type=int, default=3)
@click.option("--cores", type=int, help="Keep to so many cores; all by default.")
@click.option("--peer", "peers", type=click.Choice(PEER_NAMES), multiple=True, help="Another tool beside ours.")
@click.option("--all-peers", is_flag=True, help="Every other tool that is here.")
def main(
    names: tuple[str, ...], cores: int | None, peers: tuple[str, ...], all_peers: bool, repeats: int, **how: object
) -> None:
    """Time simulate(), and other tools, on workloads, with the error reached."""
    cores = settle(cores)
    from measuring import compare  # imports JAX

    for name in names or NAMES[:3]:
        compare(name, PEER_NAMES if all_peers else peers, cores=cores, repeats=repeats, **how)


if __name__ == "__main__":
    sys.exit(main())
