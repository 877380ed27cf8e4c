"""jax-triton: Triton's own language and compiler, launched by JAX; lanes of a warp wait for the slowest."""

import jax
import jax.numpy as jnp
import jax_triton
import triton
import triton.language as tl
from ahead import LANES, assembled, compiled, ptx_files, report, timed
from course import ABSOLUTE, ABSORPTION, DOSES, END, HALF, RELATIVE, patients

WARP = 32


@triton.jit
def flow(d, c, most, absorption: tl.constexpr, half: tl.constexpr):
    absorbed = absorption * d
    return -absorbed, absorbed - most * c / (half + c)


@triton.jit
def course(
    weight, time, amount, last, largest, tried, lanes: tl.constexpr, warp: tl.constexpr, rows: tl.constexpr,
    end: tl.constexpr, absorption: tl.constexpr, half: tl.constexpr, absolute: tl.constexpr, relative: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * warp + tl.arange(0, warp)
    w = tl.load(weight + i)
    most = 12.0 * tl.exp(0.75 * tl.log(w / 70.0))
    t, d, c, highest = w * 0, w * 0, w * 0, w * 0
    next, steps = i * 0, i * 0
    while tl.max((t < end).to(tl.int32), 0) > 0:
        at = next * lanes + i
        due = (t < end) & (tl.load(time + at) <= t)
        d += tl.where(due, tl.load(amount + at), 0.0)
        next += due.to(tl.int32)
        stop = tl.where(t < end, tl.minimum(tl.load(time + next * lanes + i), end), t)
        step = w * 0 + 0.01
        while tl.max((t < stop).to(tl.int32), 0) > 0:
            final = step >= stop - t
            h = tl.where(final, stop - t, step)
            d1, c1 = flow(d, c, most, absorption, half)
            d2, c2 = flow(d + h / 2 * d1, c + h / 2 * c1, most, absorption, half)
            d3, c3 = flow(d + h * 0.75 * d2, c + h * 0.75 * c2, most, absorption, half)
            depot = d + h / 9 * (2 * d1 + 3 * d2 + 4 * d3)
            central = c + h / 9 * (2 * c1 + 3 * c2 + 4 * c3)
            d4, c4 = flow(depot, central, most, absorption, half)
            off_depot = h / 72 * (6 * d2 + 8 * d3 - 5 * d1 - 9 * d4) / (absolute + relative * tl.abs(depot))
            off_central = h / 72 * (6 * c2 + 8 * c3 - 5 * c1 - 9 * c4) / (absolute + relative * tl.abs(central))
            error = tl.sqrt((off_depot * off_depot + off_central * off_central) / 2)
            factor = 0.9 * tl.exp(-tl.log(tl.maximum(error, 1e-6)) / 3)
            busy = t < stop
            go = busy & (error <= 1)
            t = tl.where(go, tl.where(final, stop, t + h), t)
            d, c = tl.where(go, depot, d), tl.where(go, central, c)
            highest = tl.where(go, tl.maximum(highest, central), highest)
            step = tl.where(busy, h * tl.minimum(tl.maximum(factor, 0.2), 5.0), step)
            steps += busy.to(tl.int32)
    tl.store(last + i, c)
    tl.store(largest + i, highest)
    tl.store(tried + i, steps)


def run(weight, time, amount):
    return jax_triton.triton_call(
        weight, time, amount, kernel=course, grid=(LANES // WARP,), num_warps=1,
        out_shape=[weight, weight, jax.ShapeDtypeStruct(weight.shape, jnp.int32)],
        lanes=LANES, warp=WARP, rows=DOSES, end=END, absorption=ABSORPTION, half=HALF,
        absolute=ABSOLUTE, relative=RELATIVE,
    )  # fmt: skip


def attempt(dtype: str) -> dict:
    _, seconds = timed(lambda: compiled(run, patients(LANES, dtype)))
    return {"compile_cpu_s": seconds, **assembled(ptx_files()[-1])}


if __name__ == "__main__":
    report("jax-triton", attempt, "jax", "jax-triton", "triton")
