"""How many effective draws a second does calibrate() give, beside numpyro on diffrax? One JSON line each.

python benchmarks/calibrate.py                              # W4, W4b and 1,000 warfarin patients
python benchmarks/calibrate.py --workload warfarin --n 1000 --peer
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import click
import numpy as np
from ensemble import settle

NAMES = ("W4", "W4b", "warfarin")
LOOKS = np.array([0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0])
PRIORS = {"error": {"half_normal": {"scale": 0.5}}}
CHAINS, WARMUP, KEPT = 2, 400, 500  # of the peer


def oral(values: Any, times: Any, dose: float = 100.0) -> Any:
    """The concentration of one compartment after an oral dose: clearance, volume, absorption rate."""
    clearance, volume, absorption = values
    k = clearance / volume
    return dose / volume * absorption / (absorption - k) * (np.exp(-k * times) - np.exp(-absorption * times))


def w4_patients(count: int) -> list[Any]:
    """Workload W4's patient; more of them have true parameters spread by 30 %."""
    from twin.patient import DoseRecord, Observation, Patient

    generator = np.random.default_rng(404)
    people = []
    for i in range(count):
        own = np.array([8.0, 60.0, 1.2]) * (np.exp(0.3 * generator.standard_normal(3)) if count > 1 else 1.0)
        values = oral(own, LOOKS) * np.exp(0.15 * generator.standard_normal(len(LOOKS)))
        seen = [Observation("concentration", float(t), float(y)) for t, y in zip(LOOKS, values, strict=True)]
        people.append(Patient(f"p{i}", doses=[DoseRecord("100 mg")], observations=seen))
    return people


def warfarin_patients(model: Any, count: int) -> list[Any]:
    """Patients of all ages and genotypes after three weeks at 5 mg: 8 INRs and 2 concentrations, with their errors."""
    import jax

    import twin
    from twin.patient import DoseRecord, Measured, Patient

    generator = np.random.default_rng(505)
    diplotypes, alleles = list(model.covariates()["cyp2c9"].levels), list(model.covariates()["vkorc1"].levels)
    doses = [DoseRecord("5 mg", 0.0, every=24.0, doses=21)]
    people = [
        Patient(
            f"p{i}", doses=doses,
            covariates={"age": float(generator.uniform(40, 90)), "cyp2c9": str(generator.choice(diplotypes)),
                        "vkorc1": str(generator.choice(alleles))},
        ).bind(model)
        for i in range(count)
    ]  # fmt: skip
    inr, blood = np.array([36.0, 60, 84, 132, 180, 252, 348, 492]), np.array([84.0, 252.0])
    times = np.union1d(inr, blood)
    spread = [n for n, p in model.parameters().items() if p.spread is not None]
    with jax.enable_x64(True):
        found = twin.solve_many(
            model, people, None, times, deviations={n: generator.standard_normal((count, 1)) for n in spread}
        )
    result = []
    for i, person in enumerate(people):
        seen = []
        for name, when, error in (("inr", inr, 0.20), ("s_warfarin", blood, 0.099)):
            true = np.asarray(found[name])[i, 0][np.searchsorted(times, when)]
            noisy = true * np.exp(error * generator.standard_normal(len(when)))
            seen += [Measured(name, float(t), float(y)) for t, y in zip(when, noisy, strict=True)]
        result.append(_with(person, tuple(sorted(seen, key=lambda o: o.time))))
    return result


def _with(person: Any, observations: tuple[Any, ...]) -> Any:
    import dataclasses

    return dataclasses.replace(person, observations=observations)


def w4_model() -> Any:
    """Workload W4 as a user writes it."""
    import equinox as eqx

    from twin.model import Delivery, DiseaseModel, LogNormal, observable, parameter, part, treatment
    from twin.model.noise import LogNormalNoise
    from twin.parts.compartments import OralOneCompartment
    from twin.types import Scalar

    class Parameters(eqx.Module):
        clearance: Scalar = parameter(10.0, "L/h", "clearance", spread=LogNormal(0.5))
        volume: Scalar = parameter(50.0, "L", "volume", spread=LogNormal(0.5))
        absorption: Scalar = parameter(1.0, "1/h", "absorption rate", spread=LogNormal(0.5))
        error: Scalar = parameter(0.2, "1", "log-normal error")

    class State(eqx.Module):
        drug: OralOneCompartment = part(OralOneCompartment, "mg", "drug")

    class Oral(DiseaseModel):
        name, title, time_unit = "w4", "W4: oral one-compartment kinetics", "h"
        linear = ("drug",)

        def derivatives(self, t, y, p):
            return State(y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume))

        @treatment(unit="mg", into="drug.depot")
        def oral(self, p):
            return Delivery()

        @observable(unit="mg/L", noise=LogNormalNoise("error"))
        def concentration(self, t, y, p):
            return y.drug.central / p.volume

    Oral.Parameters, Oral.State = Parameters, State
    return Oral()


def measure(name: str, model: Any, people: Sequence[Any], priors: Any, cores: int, repeats: int) -> None:
    """Calibrates several times with other seeds; the first time compiles."""
    import calibration

    took, used = [], []
    for k in range(repeats + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        posterior = calibration.calibrate(model, people, priors=priors, seed=k)
        took.append(time.perf_counter() - wall)
        used.append(time.process_time() - cpu)
    seconds, cpu = float(np.median(took[1:])), float(np.median(used[1:]))
    effective = posterior.stats["effective_draws"]
    line = {
        "workload": name, "method": "auto", "patients": len(people), "cores": cores,
        "compile_s": round(took[0] - seconds, 2), "run_s": round(seconds, 4), "cpu_s": round(cpu, 4),
        "effective_draws": round(float(effective.sum())), "fewest_effective": round(float(effective.min())),
        "effective_per_cpu_s": round(float(effective.sum()) / cpu),
        "share_k_below_0.7": float(np.mean(posterior.stats["k_hat"] < 0.7)),
        "by_nuts": posterior.method.count("nuts"), "trusted": posterior.verdict.count("trusted"),
    }  # fmt: skip
    if name == "W4":
        names = ("clearance", "volume", "absorption")
        logs = {n: np.log(posterior.parameters[n][0]) for n in names} | {"error": posterior.parameters["error"][0]}
        line["mean_sd"] = {n: [round(float(v.mean()), 4), round(float(v.std()), 4)] for n, v in logs.items()}
    click.echo(json.dumps(line))


def peer_w4() -> None:
    """The same patient by numpyro NUTS on diffrax, as its user writes it.

    In a process of its own: XLA aborts on it with the switches that our loops are compiled with.
    """
    import diffrax
    import jax
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist

    jax.config.update("jax_enable_x64", True)
    measured = jnp.asarray([o.value for o in w4_patients(1)[0].observations])
    term = diffrax.ODETerm(lambda t, y, p: jnp.stack([-p[2] * y[0], p[2] * y[0] / p[1] - p[0] / p[1] * y[1]]))

    def model() -> None:
        logs = numpyro.sample("logs", dist.Normal(jnp.log(jnp.array([10.0, 50.0, 1.0])), 0.5).to_event(1))
        sigma = numpyro.sample("sigma", dist.HalfNormal(0.5))
        course = diffrax.diffeqsolve(
            term, diffrax.Tsit5(), 0.0, 24.0, 0.1, jnp.array([100.0, 0.0]), args=jnp.exp(logs),
            saveat=diffrax.SaveAt(ts=jnp.asarray(LOOKS)),
            stepsize_controller=diffrax.PIDController(rtol=1e-6, atol=1e-8), throw=False,
        ).ys[:, 1]  # fmt: skip
        numpyro.sample("y", dist.LogNormal(jnp.log(course), sigma), obs=measured)

    sampled("W4", numpyro.infer.NUTS(model, init_strategy=numpyro.infer.init_to_median), ("logs", "sigma"))


def peer_warfarin() -> None:
    """A warfarin patient by numpyro NUTS on diffrax: our equations and likelihood, every state integrated."""
    import jax
    import numpyro

    import twin
    from calibration import Target

    jax.config.update("jax_enable_x64", True)
    model = twin.load_model("warfarin")
    target = Target(model, warfarin_patients(model, 1), solver="ode", rtol=1e-6)

    def potential(u: Any) -> Any:
        return -target.log_posterior(u[None, None], target.data)[0, 0]

    start = jax.numpy.zeros((CHAINS, target.prior.size))
    with jax.numpy_dtype_promotion("standard"):
        sampled("warfarin", numpyro.infer.NUTS(potential_fn=potential), None, start)


def sampled(name: str, kernel: Any, sites: tuple[str, ...] | None, start: Any = None) -> None:
    """Runs chains one after the other twice, the second time without compiling, and prints what it was worth."""
    import jax
    import numpyro

    sampler = numpyro.infer.MCMC(
        kernel, num_warmup=WARMUP, num_samples=KEPT, num_chains=CHAINS, chain_method="sequential", progress_bar=False
    )
    cpu = []
    for k in range(2):
        began = time.process_time()
        sampler.run(jax.random.key(k), init_params=start)
        jax.block_until_ready(sampler.get_samples())
        cpu.append(time.process_time() - began)
    draws = sampler.get_samples(group_by_chain=True)
    each = [np.asarray(draws[site]) for site in sites] if sites else [np.asarray(draws)]
    columns = [c for x in each for c in np.moveaxis(x.reshape(*x.shape[:2], -1), -1, 0)]
    least = min(float(numpyro.diagnostics.effective_sample_size(c)) for c in columns)
    line = {
        "workload": name, "method": "numpyro NUTS on diffrax", "patients": 1, "chains": CHAINS, "warmup": WARMUP,
        "kept": KEPT, "cpu_s": round(cpu[-1], 2), "effective_draws": round(least),
        "effective_per_cpu_s": round(least / cpu[-1], 2),
    }  # fmt: skip
    click.echo(json.dumps(line))


@click.command()
@click.option("--workload", "names", type=click.Choice(NAMES), multiple=True, help="Which; all by default.")
@click.option("--n", type=int, default=1000, help="Patients of W4b and warfarin.")
@click.option("--cores", type=int, help="Keep to so many cores; all by default.")
@click.option("--repeats", type=int, default=3)
@click.option("--peer", is_flag=True, help="Also numpyro NUTS on diffrax, on W4 and on one warfarin patient.")
def main(names: tuple[str, ...], n: int, cores: int | None, repeats: int, peer: bool) -> None:
    """Time calibrate() on workloads."""
    cores = settle(cores)
    import jax

    import twin

    jax.config.update("jax_enable_x64", True)
    for name in names or NAMES:
        if name == "warfarin":
            model = twin.load_model("warfarin")
            measure(name, model, warfarin_patients(model, n), None, cores, repeats)
        else:
            measure(name, w4_model(), w4_patients(1 if name == "W4" else n), PRIORS, cores, repeats)
    if peer:
        plain = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
        here = os.path.dirname(os.path.abspath(__file__))
        for name in dict.fromkeys("w4" if name != "warfarin" else name for name in names or NAMES):
            code = f"import calibrate; calibrate.peer_{name}()"
            subprocess.run([sys.executable, "-c", code], cwd=here, env=plain, check=True)


if __name__ == "__main__":
    main()
