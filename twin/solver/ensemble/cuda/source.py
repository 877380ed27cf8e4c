"""A trace of one lane as the source of a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .words import TYPES
from .writer import Table, Writer

PRELUDE = """\
#define INFINITE __longlong_as_double(0x7ff0000000000000LL)
#define NOT_A_NUMBER __longlong_as_double(0x7ff8000000000000LL)

// The larger and the smaller; not a number if either is not one.
template <class T> __device__ T larger(T a, T b) { return a > b || a != a ? a : b; }
template <class T> __device__ T smaller(T a, T b) { return a < b || a != a ? a : b; }
template <class T> __device__ T clamp(T low, T x, T high) { return smaller(larger(x, low), high); }
template <class T> __device__ T sign(T x) { return x > 0 ? T(1) : x < 0 ? T(-1) : x; }

template <int N, class T> __device__ T power(T x) {
  if constexpr (N < 0) return 1 / power<-N>(x);
  else if constexpr (N == 0) return 1;
  else if constexpr (N == 1) return x;
  else if constexpr (N % 2) return x * power<N / 2>(x * x);
  else return power<N / 2>(x * x);
}
"""

_LANE = """\
  const long long lanes = (long long)gridDim.x * blockDim.x;
  const long long lane = (long long)blockIdx.x * blockDim.x + threadIdx.x;
"""


def cuda_source(traced: Any, name: str, *, shared: Sequence[int] = ()) -> str:
    """The kernel `name` of a closed trace of one lane, a thread a lane.

    Its arguments are the trace's, then its results, each with lanes as its last axis; those whose number is in
    `shared` have no lanes, and all read the same.
    """
    writer, given, results = Writer(), traced.in_avals, traced.out_avals
    tables = [Table(f"given{i}", aval.shape) for i, aval in enumerate(given)]
    begin = [t if aval.shape else writer.values(t, aval) for t, aval in zip(tables, given, strict=True)]
    found = writer.write(traced, begin)
    stacks, ends = _results(writer, found, results)
    head = [f"given{i} += lane;" for i in range(len(given)) if i not in shared]
    head += [f"result{k} += lane;" for k in range(len(results))]
    head += [f"const long long given{i}_step = {1 if i in shared else 'lanes'};" for i in range(len(given))]
    lines = [*(f"  {line}" for line in head + stacks), *writer.prune(" ".join(ends)), *(f"  {line}" for line in ends)]
    arguments = [f"const {TYPES[aval.dtype.name]}* __restrict__ given{i}" for i, aval in enumerate(given)]
    arguments += [f"{TYPES[aval.dtype.name]}* __restrict__ result{k}" for k, aval in enumerate(results)]
    opening = f'extern "C" __global__ void {name}({", ".join(arguments)}) {{'
    return "\n".join([PRELUDE, opening, _LANE + "\n".join(lines), "}", ""])


def _results(writer: Writer, found: Sequence[Any], avals: Sequence[Any]) -> tuple[list[str], list[str]]:
    """Where scans stack: in the result itself if it is one, else in an array of the lane; and what is left to store."""
    stacks, ends, held = [], [], dict(writer.stacked)
    for k, (value, aval) in enumerate(zip(found, avals, strict=True)):
        if isinstance(value, Table) and value.pointer in held:
            kind, _ = held.pop(value.pointer)
            stacks.append(f"{kind}* {value.pointer} = result{k}; const long long {value.pointer}_step = lanes;")
        else:
            entries = writer.values(value, aval).flat
            ends += [f"result{k}[{j} * lanes] = {entry};" for j, entry in enumerate(entries)]
    stacks += [f"{kind} {name}[{size}]; const int {name}_step = 1;" for name, (kind, size) in held.items()]
    return stacks, ends
