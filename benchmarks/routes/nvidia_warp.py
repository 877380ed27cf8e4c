"""NVIDIA Warp: Python read by Warp, written as C++, compiled by the NVRTC inside its wheel; one thread a lane."""

import glob
import re
import tempfile

import warp as wp
from ahead import assembled, report, timed
from course import ABSOLUTE, ABSORPTION, END, HALF, RELATIVE


def written(real):
    @wp.func
    def absorbed(d: real):
        return real(ABSORPTION) * d

    @wp.func
    def gained(d: real, c: real, most: real):
        return real(ABSORPTION) * d - most * c / (real(HALF) + c)

    @wp.kernel(enable_backward=False, module="unique")
    def course(
        weight: wp.array(dtype=real), time: wp.array2d(dtype=real), amount: wp.array2d(dtype=real),
        last: wp.array(dtype=real), largest: wp.array(dtype=real), tried: wp.array(dtype=wp.int32),
    ):  # fmt: skip
        i = wp.tid()
        most = real(12.0) * wp.exp(real(0.75) * wp.log(weight[i] / real(70.0)))
        t = real(0.0)
        d = real(0.0)
        c = real(0.0)
        highest = real(0.0)
        next = wp.int32(0)
        steps = wp.int32(0)
        while t < real(END):
            if time[next, i] <= t:
                d += amount[next, i]
                next += 1
            stop = wp.min(time[next, i], real(END))
            step = real(0.01)
            while t < stop:
                final = step >= stop - t
                h = wp.where(final, stop - t, step)
                d1 = -absorbed(d)
                c1 = gained(d, c, most)
                d2 = -absorbed(d + h / real(2.0) * d1)
                c2 = gained(d + h / real(2.0) * d1, c + h / real(2.0) * c1, most)
                d3 = -absorbed(d + h * real(0.75) * d2)
                c3 = gained(d + h * real(0.75) * d2, c + h * real(0.75) * c2, most)
                depot = d + h / real(9.0) * (real(2.0) * d1 + real(3.0) * d2 + real(4.0) * d3)
                central = c + h / real(9.0) * (real(2.0) * c1 + real(3.0) * c2 + real(4.0) * c3)
                d4 = -absorbed(depot)
                c4 = gained(depot, central, most)
                off_depot = h / real(72.0) * (real(6.0) * d2 + real(8.0) * d3 - real(5.0) * d1 - real(9.0) * d4)
                off_central = h / real(72.0) * (real(6.0) * c2 + real(8.0) * c3 - real(5.0) * c1 - real(9.0) * c4)
                off_depot = off_depot / (real(ABSOLUTE) + real(RELATIVE) * wp.abs(depot))
                off_central = off_central / (real(ABSOLUTE) + real(RELATIVE) * wp.abs(central))
                error = wp.sqrt((off_depot * off_depot + off_central * off_central) / real(2.0))
                if error <= real(1.0):
                    t = wp.where(final, stop, t + h)
                    d = depot
                    c = central
                    highest = wp.max(highest, central)
                factor = real(0.9) * wp.pow(wp.max(error, real(1e-6)), real(-1.0 / 3.0))
                step = h * wp.clamp(factor, real(0.2), real(5.0))
                steps += 1
        last[i] = c
        largest[i] = highest
        tried[i] = steps

    return course


def attempt(dtype: str) -> dict:
    _, seconds = timed(lambda: made(dtype, use_ptx=False))
    ptx = re.sub(r"\.version .*", ".version 8.8", made(dtype, use_ptx=True))  # of CUDA 13.4; this ptxas may be older
    return {"compile_cpu_s": seconds, **assembled(ptx)}


def made(dtype: str, *, use_ptx: bool) -> str:
    """What Warp writes."""
    folder = tempfile.mkdtemp()
    wp.config.kernel_cache_dir = folder
    kernel = written(getattr(wp, dtype))
    wp.compile_aot_module(kernel.module, arch=90, module_dir=folder, use_ptx=use_ptx)
    (found,) = glob.glob(f"{folder}/**/*.{'ptx' if use_ptx else 'cubin'}", recursive=True)
    with open(found, errors="replace") as file:
        return file.read()


if __name__ == "__main__":
    report("NVIDIA Warp", attempt, "warp-lang")
