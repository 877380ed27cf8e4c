"""How long does full Bayes of a population take, and is it what NUTS over everybody's parameters finds, too?

python benchmarks/fit_bayes.py --patients 100            # two JSON lines; with --joint numpyro's joint NUTS beside it

Oral one-compartment kinetics, three log-normal effects, proportional error of 10 %, six samples a patient, simulated in
NumPy. Both have the same priors: flat on logarithms of typical values and of the error, flat on standard deviations up
to 5. The last line has each posterior mean's distance from the joint one in its standard deviations.
"""

from __future__ import annotations

import argparse
import json
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

from calibration.population.fit import fit_population  # noqa: E402
from twin.model import Delivery, DiseaseModel, Proportional, log_normal, observable, parameter, part, treatment  # noqa: E402
from twin.parts.compartments import OralOneCompartment  # noqa: E402
from twin.patient import DoseRecord, Observation, Patient  # noqa: E402
from twin.types import Scalar  # noqa: E402

TIMES = np.array([0.5, 1.5, 4.0, 9.0, 24.0, 48.0])
TRUE = {"clearance": 1.0, "volume": 20.0, "absorption": 1.2}
SDS = {"clearance": 0.3, "volume": 0.2, "absorption": 0.4}
ERROR = 0.1


class Oral(DiseaseModel):
    name, title, time_unit, linear = "oral_of_benchmark", "oral one-compartment kinetics", "h", ("drug",)

    class State(eqx.Module):
        drug: OralOneCompartment = part(OralOneCompartment, "mg", "drug")

    class Parameters(eqx.Module):
        clearance: Scalar = parameter(1.2, "L/h", "clearance", spread=log_normal(variance=0.1))
        volume: Scalar = parameter(18.0, "L", "volume", spread=log_normal(variance=0.1))
        absorption: Scalar = parameter(1.0, "1/h", "absorption rate", spread=log_normal(variance=0.1))
        error: Scalar = parameter(0.15, "1", "proportional error")

    def derivatives(self, t, y, p):
        return self.State(y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume))

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=Proportional("error"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


def course(clearance, volume, absorption):
    """Concentrations (patient, time) after 100 mg."""
    k, t = (clearance / volume)[..., None], TIMES
    rate = absorption[..., None]
    return 100 / volume[..., None] * rate / (rate - k) * (jnp.exp(-k * t) - jnp.exp(-rate * t))


def simulate(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    own = [TRUE[n] * np.exp(SDS[n] * rng.standard_normal(count)) for n in TRUE]
    true = np.asarray(course(*own))
    return true * (1 + ERROR * rng.standard_normal(true.shape))


def patients_of(y: np.ndarray) -> list[Patient]:
    return [
        Patient(
            f"{i:04d}", doses=[DoseRecord("100 mg", 0.0)],
            observations=[Observation("concentration", float(t), float(v)) for t, v in zip(TIMES, row, strict=True)],
        )
        for i, row in enumerate(y)
    ]  # fmt: skip


def joint(y: np.ndarray, seed: int, kept: int) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Means and sds by numpyro's NUTS over everything, effects centred."""
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import MCMC, NUTS, init_to_value

    names = list(TRUE)

    def model():
        middle = jnp.stack(
            [numpyro.sample(f"log {n}", dist.ImproperUniform(dist.constraints.real, (), ())) for n in names]
        )
        sds = jnp.stack([numpyro.sample(f"sd {n}", dist.Uniform(0.0, 5.0)) for n in names])
        error = jnp.exp(numpyro.sample("log error", dist.ImproperUniform(dist.constraints.real, (), ())))
        with numpyro.plate("patients", len(y)):
            phi = numpyro.sample("phi", dist.Normal(middle, sds).to_event(1))
        true = course(*jnp.moveaxis(jnp.exp(phi), -1, 0))
        numpyro.sample("y", dist.Normal(true, error * true), obs=y)

    middle = np.log([TRUE[n] for n in names])
    start = {f"log {n}": m for n, m in zip(names, middle, strict=True)} | {f"sd {n}": SDS[n] for n in names}
    start |= {"log error": np.log(ERROR), "phi": np.tile(middle, (len(y), 1))}
    with jax.numpy_dtype_promotion("standard"):
        chain = MCMC(NUTS(model, init_strategy=init_to_value(values=start), target_accept_prob=0.9), num_warmup=500,
                     num_samples=kept, num_chains=2, chain_method="vectorized", progress_bar=False)  # fmt: skip
        chain.run(jax.random.PRNGKey(seed))
        grouped = chain.get_samples(group_by_chain=True)
    found, effective = {}, {}
    for n in names:
        found[n], found[f"variance of {n}"] = np.exp(grouped[f"log {n}"]), grouped[f"sd {n}"] ** 2
    found["error"] = np.exp(grouped["log error"])
    for n, v in found.items():
        effective[n] = float(numpyro.diagnostics.effective_sample_size(np.asarray(v)))
    return {n: (float(np.mean(v)), float(np.std(v))) for n, v in found.items()}, effective


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--joint", action="store_true")
    parser.add_argument("--kept", type=int, default=2000)
    told = parser.parse_args()
    y = simulate(told.patients, told.seed)
    for turn in ("first", "again"):
        began, cpu = time.perf_counter(), time.process_time()
        fit = fit_population(Oral(), patients_of(y), method="bayes", seed=told.seed)
        line = {"what": "bayes", "run": turn, "seconds": time.perf_counter() - began, "CPU": time.process_time() - cpu}
        print(json.dumps(line | {"verdict": fit.verdict, "reasons": fit.reasons} | dict(fit.vectors("bayes").figures)))
    if told.joint:
        began = time.perf_counter()
        known, effective = joint(y, told.seed, told.kept)
        ours = fit.vectors("bayes")
        apart = {n: (ours.means[n] - mean) / sd for n, (mean, sd) in known.items()}
        ratio = {n: ours.sds[n] / sd for n, (_, sd) in known.items()}
        print(json.dumps({"what": "joint NUTS", "seconds": time.perf_counter() - began, "effective": effective,
                          "apart": apart, "sd ratio": ratio}))  # fmt: skip


if __name__ == "__main__":
    main()
