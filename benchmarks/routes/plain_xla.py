"""No kernel: XLA compiles the mapped loops itself. Says how many kernels that is, and how many a step launches."""

import re

import jax
from ahead import LANES, assembled, compiled, ptx_files, report, timed
from course import lane, patients


def launches(text: str) -> list[int]:
    """Kernels launched by each turn of each loop: its body and its condition, which the host waits for."""
    computations = dict(re.findall(r"^%(\S+) .*?\{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE))
    count = lambda name: len(re.findall(r" (?:fusion|copy|custom-call)\(", computations[name]))  # noqa: E731
    return [count(c) + count(b) for c, b in re.findall(r" while\(.*condition=%([^,\s]+), body=%([^,\s]+)", text)]


def attempt(dtype: str) -> dict:
    mapped = jax.vmap(lane, in_axes=(0, 1, 1))
    made, seconds = timed(lambda: compiled(mapped, patients(LANES, dtype)))
    each = [assembled(ptx) for ptx in ptx_files()]
    return {
        "compile_cpu_s": seconds, "launches_a_turn": launches(made.as_text()), "kernels": len(each),
        "registers": max(one["registers"] for one in each), "spill_bytes": sum(one["spill_bytes"] for one in each),
        "ptxas_cpu_s": round(sum(one["ptxas_cpu_s"] for one in each), 2),
    }  # fmt: skip


if __name__ == "__main__":
    report("plain XLA", attempt, "jax", "jax-cuda12-plugin")
