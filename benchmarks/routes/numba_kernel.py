"""numba-cuda, as the Cubie project does: Python compiled by NVVM to PTX, one thread a lane."""

import math

from ahead import assembled, report, timed
from course import ABSOLUTE, ABSORPTION, END, HALF, RELATIVE
from numba import cuda, types


def written(real):
    def course(weight, time, amount, last, largest, tried):
        def flow(d, c, most):  # a function of the device would ask for a GPU while this is compiled
            absorbed = real(ABSORPTION) * d
            return -absorbed, absorbed - most * c / (real(HALF) + c)

        i, lanes = cuda.grid(1), cuda.gridsize(1)
        most = real(12.0) * math.exp(real(0.75) * math.log(weight[i] / real(70.0)))
        t, d, c, step, highest = real(0.0), real(0.0), real(0.0), real(0.01), real(0.0)
        next, steps = 0, 0
        while t < real(END):
            if time[next * lanes + i] <= t:
                d += amount[next * lanes + i]
                next += 1
            stop = min(time[next * lanes + i], real(END))
            step = real(0.01)
            while t < stop:
                final = step >= stop - t
                h = stop - t if final else step
                d1, c1 = flow(d, c, most)
                d2, c2 = flow(d + h / real(2) * d1, c + h / real(2) * c1, most)
                d3, c3 = flow(d + h * real(3) / real(4) * d2, c + h * real(3) / real(4) * c2, most)
                depot = d + h / real(9) * (real(2) * d1 + real(3) * d2 + real(4) * d3)
                central = c + h / real(9) * (real(2) * c1 + real(3) * c2 + real(4) * c3)
                d4, c4 = flow(depot, central, most)
                off_depot = h / real(72) * (real(6) * d2 + real(8) * d3 - real(5) * d1 - real(9) * d4)
                off_central = h / real(72) * (real(6) * c2 + real(8) * c3 - real(5) * c1 - real(9) * c4)
                off_depot /= real(ABSOLUTE) + real(RELATIVE) * abs(depot)
                off_central /= real(ABSOLUTE) + real(RELATIVE) * abs(central)
                error = math.sqrt((off_depot * off_depot + off_central * off_central) / real(2))
                if error <= real(1):
                    t, d, c = stop if final else t + h, depot, central
                    highest = max(highest, central)
                step = h * min(max(real(0.9) * max(error, real(1e-6)) ** real(-1 / 3), real(0.2)), real(5))
                steps += 1
        last[i], largest[i], tried[i] = c, highest, steps

    return course


def attempt(dtype: str) -> dict:
    real = getattr(types, dtype)
    pointer, whole = types.CPointer(real), types.CPointer(types.int32)
    signature = types.void(pointer, pointer, pointer, pointer, pointer, whole)
    (ptx, _), seconds = timed(lambda: cuda.compile_ptx(written(real), signature, cc=(9, 0)))
    said = assembled(ptx)
    return {"compile_cpu_s": round(seconds + said["ptxas_cpu_s"], 2), "to_ptx_cpu_s": seconds, **said}


if __name__ == "__main__":
    report("numba-cuda", attempt, "numba-cuda", "numba")
