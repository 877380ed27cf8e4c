"""CUDA C++ written from the trace of one lane, compiled by NVRTC, launched by XLA's own custom call for PTX."""

import jax
import jax.numpy as jnp
from ahead import LANES, assembled, compiled, report, timed
from course import lane, patients

from twin.solver.ensemble.cuda import cuda_source, nvrtc
from twin.solver.ensemble.cuda.launch import BLOCK, CALL


def source_of(dtype: str) -> str:
    weight, times, amounts = patients(BLOCK, dtype)
    return cuda_source(jax.make_jaxpr(lane)(weight[0], times[:, 0], amounts[:, 0]), "course")


def attempt(dtype: str) -> dict:
    source, traced = timed(lambda: source_of(dtype))
    ptx, translated = timed(lambda: nvrtc.ptx(source))

    def run(weight, times, amounts):
        results = [jax.ShapeDtypeStruct(weight.shape, kind) for kind in (weight.dtype, weight.dtype, jnp.int32)]
        return jax.ffi.ffi_call(CALL, results)(
            weight, times, amounts, name="course", kernel_type="ptx", kernel_data=ptx, grid_x=LANES // BLOCK, grid_y=1,
            grid_z=1, block_x=BLOCK, block_y=1, block_z=1, shared_mem_bytes=0,
        )  # fmt: skip

    _, taken = timed(lambda: compiled(run, patients(LANES, dtype)))
    said = assembled(ptx)
    return {
        "compile_cpu_s": round(traced + translated + taken + said["ptxas_cpu_s"], 2), "trace_cpu_s": traced,
        "nvrtc_cpu_s": translated, "xla_cpu_s": taken, "source_lines": source.count("\n"), **said,
    }  # fmt: skip


if __name__ == "__main__":
    report("generated CUDA", attempt, "jax", "jax-cuda12-plugin", "nvidia-cuda-nvrtc-cu12")
