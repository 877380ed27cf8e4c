"""Pallas on Mosaic GPU: the same function of lanes, 128 to a program.

There is no reading of a row of each lane's own: every row of the tables is loaded, and one selected. No pow either.
"""

import jax
import jax.numpy as jnp
from ahead import LANES, assembled, compiled, ptx_files, report, timed
from course import DOSES, course, patients
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

GROUP = 128
LAYOUT = plgpu.Layout.WG_STRIDED((GROUP,), vec_size=1)


def kernel(weight, time, amount, last, largest, tried):
    mine = pl.ds(jax.lax.axis_index("program") * GROUP, GROUP)
    rows = {
        name: [plgpu.load(table.at[i, mine], layout=LAYOUT) for i in range(DOSES)]
        for name, table in (("time", time), ("amount", amount))
    }

    def row(name, i):
        found = rows[name][-1]
        for k in range(DOSES - 1):
            found = jnp.where(i == k, rows[name][k], found)
        return found

    found = course(plgpu.load(weight.at[mine], layout=LAYOUT), row, power=lambda x, y: jnp.exp(y * jnp.log(x)))
    last[mine], largest[mine], tried[mine] = found


def run(weight, time, amount):
    out = [weight, weight, jax.ShapeDtypeStruct(weight.shape, jnp.int32)]
    out = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in out]
    return plgpu.kernel(kernel, out_type=out, grid=(LANES // GROUP,), grid_names=("program",))(weight, time, amount)


def attempt(dtype: str) -> dict:
    _, seconds = timed(lambda: compiled(run, patients(LANES, dtype)))
    return {"compile_cpu_s": seconds, **assembled(ptx_files()[-1])}


if __name__ == "__main__":
    report("Pallas Mosaic GPU", attempt, "jax", "jax-cuda12-plugin")
