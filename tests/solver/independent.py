"""Stiff problems solved independently: equations in NumPy, and published end states.

Nothing here reads the model classes. An individual is given as factors on parameters, by the
names the models use; typical values are written here a second time.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

import numpy as np
from scipy.integrate import solve_ivp

Rates = Callable[[float, np.ndarray], np.ndarray]
Course = dict[str, np.ndarray]  # observable or 'state.<name>' -> (time,)

# End states of the Test Set for IVP Solvers, release 2.4 (Mazzia & Magherini, University of Bari 2008), computed
# there with RADAU5 in extended precision; the problems are those of Hairer & Wanner II, section IV.10.
ROBERTSON_END = (1e11, (2.083340149701255e-08, 8.333360770334713e-14, 0.999999979166505))
OREGONATOR_END = (360.0, (1.000814870318523, 1228.178521549917, 132.0554942846706))
VAN_DER_POL_END = (2.0, (1.706167732170469, -0.8928097010248125))


# --- solving ------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Piece:
    """From `begin` on these rates hold; `added` is what a dose at that moment adds to the states."""

    begin: float
    rates: Rates
    added: Sequence[float] | float = 0.0


def integrate(pieces: Sequence[Piece], start: Sequence[float], times: Sequence[float], *, method: str) -> np.ndarray:
    """States (state, time), stepping exactly to every dose and every time; a dose shows after its moment.

    LSODA takes a fifth of a second a course. At 3e-14 it stays within 1e-10, relative, of Radau at 1e-12, which
    takes seconds and is the other `method`; a slow test compares them.
    """
    tolerance = {"LSODA": 3e-14, "Radau": 1e-12}[method]
    y, now, found = np.array(start, float), pieces[0].begin, []
    stops = sorted({*times, *(piece.begin for piece in pieces)})
    running = pieces[0]
    for stop in stops:
        if stop > now:
            solved = solve_ivp(
                running.rates, (now, stop), y, method=method, rtol=tolerance, atol=1e-22, jac=_jacobian(running.rates)
            )
            assert solved.success, solved.message
            y, now = solved.y[:, -1], stop
        if stop in times:
            found.append(y)
        for piece in pieces:
            if piece.begin == stop:
                running, y = piece, y + piece.added
    return np.array(found).T


def _jacobian(rates: Rates) -> Callable[[float, np.ndarray], np.ndarray]:
    """By complex steps, exact to rounding: all the rates are rational functions."""

    def jacobian(t: float, y: np.ndarray) -> np.ndarray:
        tiny = 1e-40
        return rates(t, y[:, None] + 1j * tiny * np.eye(len(y))).imag / tiny

    return jacobian


# --- the problems -------------------------------------------------------------------------------------


def robertson(factors: Mapping[str, float], times: Sequence[float], method: str = "LSODA") -> Course:
    """ROBER."""
    k1, k2, k3 = (v * factors.get(n, 1.0) for n, v in (("slow", 0.04), ("fast", 3e7), ("middle", 1e4)))

    def rates(t: float, y: np.ndarray) -> np.ndarray:
        a, b, c = y
        return np.array([-k1 * a + k3 * b * c, k1 * a - k3 * b * c - k2 * b**2, k2 * b**2])

    y = integrate([Piece(0.0, rates)], [1.0, 0.0, 0.0], times, method=method)
    return _both(("first", "second", "third"), y) | {"total": np.ones(len(times))}


def oregonator(factors: Mapping[str, float], times: Sequence[float], method: str = "LSODA") -> Course:
    """OREGO."""
    s, q, w = (v * factors.get(n, 1.0) for n, v in (("speed", 77.27), ("limit", 8.375e-6), ("recovery", 0.161)))

    def rates(t: float, y: np.ndarray) -> np.ndarray:
        a, b, c = y
        return np.array([s * (b + a * (1 - q * a - b)), (c - (1 + a) * b) / s, w * (a - c)])

    return _both(("acid", "bromide", "catalyst"), integrate([Piece(0.0, rates)], [1.0, 2.0, 3.0], times, method=method))


def van_der_pol(factors: Mapping[str, float], times: Sequence[float], method: str = "LSODA") -> Course:
    """VDPOL, scaled."""
    mu = 1e6 * factors.get("stiffness", 1.0)

    def rates(t: float, y: np.ndarray) -> np.ndarray:
        a, b = y
        return np.array([b, mu * ((1 - a**2) * b - a)])

    return _both(("place", "speed"), integrate([Piece(0.0, rates)], [2.0, 0.0], times, method=method))


def binding(
    factors: Mapping[str, float],
    times: Sequence[float],
    method: str = "LSODA",
    *,
    injections: Mapping[float, float],
    boluses: Mapping[float, float],
) -> Course:
    """Target-mediated disposition with `injections` under the skin and `boluses` into a vein: time -> nmol."""
    ka, CL, V, R0, kint = (
        value * factors.get(name, 1.0)
        for name, value in (
            ("absorption", 0.28), ("clearance", 0.22), ("volume", 3.0), ("receptor_at_rest", 10.0),
            ("internalisation", 0.3),
        )
    )  # fmt: skip
    Q, V2, kdeg, kon, koff = 0.5, 2.5, 2.0, 100.0, 5.0

    def rates(t: float, y: np.ndarray) -> np.ndarray:
        D, L, T, R, P = y
        b = kon * L * R - koff * P
        return np.array(
            [
                -ka * D,
                ka * D / V - (CL + Q) / V * L + Q / V * T - b,
                Q / V2 * (L - T),
                kdeg * (R0 - R) - b,
                b - kint * P,
            ]
        )

    pieces = [Piece(0.0, rates)]
    pieces += [Piece(time, rates, [dose, 0, 0, 0, 0]) for time, dose in injections.items()]
    pieces += [Piece(time, rates, [0, dose / V, 0, 0, 0]) for time, dose in boluses.items()]
    y = integrate(pieces, [0.0, 0.0, 0.0, R0, 0.0], times, method=method)
    seen = ("ligand", "tissue", "receptor", "complex")
    return {"state.depot": y[0], **_both(seen, y[1:])}


# --- Alzheimer's disease (B10 of the specification, in its symbols) -----------------------------------

_ALZHEIMER = SimpleNamespace(
    pNA=0.054, kAO=20.11, kOA=693.62, kOF=283.98, kFO=10.0, kFP=0.34, kPF=0.025, sA=1.4e-5, sO=3.4e-4, sF=6.9e-8,
    sP=5.6e-8, cA=1500.0, cO=0.5, cF=0.12, cP=0.26, AB0=1.06, tN=1e-5, bTS=10.0, sN1=5e-5, sN2=2e-7, rI0=82.95,
    rI1=0.23, rI2=0.00037, t01=0.0051, t12=0.01, e01=1e-7, e12=1.2e-8, e2d=8.8e-10, r01=7.3e-6, r12=1e-14, r2d=1e-14,
    dI2=0.012, pS0=2e-6, pS1=8.2e-5, pS2=1.65, pP0=1.8e-6, pP1=4.9e-5, pP2=4e-5, pPN=1e-6, cTS=8.6, cTP=8.6,
    sTS=8.8e-8, sTP=8.2e-8, aC=3.58, shC=2.92, aD=16.9, shD=6.23, DF=0.068, DP=0.0015,
    ab0=0.091, pt0=0.32, tau0=0.69, hC=2.4e-8, hD=2e-8,
)  # fmt: skip
# The specification prints no sI2T, but the typical tau PET that it yields at 27 years and 18 months later.
TAU_PET_PRINTED = {27.0: 1.4675, 28.5: 1.4675 + 0.0747}
# the parameters that vary between patients, by the model's names
_SYMBOLS = {
    "monomer_production": "pNA", "oligomer_formation": "kAO", "cdr_scale": "aC", "plaque_formation": "kFP",
    "suvr_floor": "AB0", "ratio_floor": "ab0", "affected_progression": "t01", "tau_from_affected": "pP0",
    "tau_from_oligomeric": "pP1", "plasma_tau_floor": "pt0", "tau_pet_floor": "tau0", "tau_pet_scale": "sI2T",
    "cdr_shape": "shC", "adas_scale": "aD", "adas_shape": "shD", "lecanemab_on_protofibril": "DF",
    "lecanemab_on_plaque": "DP",
}  # fmt: skip
_AGE = 71.3
_STATES = (
    "monomer", "oligomer", "protofibril", "plaque", "healthy", "affected", "oligomeric", "tangled", "lost", "seeds",
    "tau",
)  # fmt: skip


def alzheimer(
    factors: Mapping[str, float],
    times: Sequence[float],
    method: str = "LSODA",
    *,
    lecanemab: Mapping[float, float],
) -> Course:
    """B10 for a person of 71.3 years without e4, with average concentrations of lecanemab from given times on."""
    printed = vars(_ALZHEIMER) | {"sI2T": tau_pet_scale()}
    own = {_SYMBOLS[name]: printed[_SYMBOLS[name]] * factor for name, factor in factors.items()}
    v = SimpleNamespace(**(printed | own))
    y = _alzheimer_states(v, times, method, lecanemab)
    A, _, F, P, _, _, I1, I2, DN, _, TP = y
    cC = (1075.4 * DN + 20 * I2 + 2.5 * I1) / 6.14e7
    cD = (1323.24 * DN + 2.5 * I2 + 1.6 * I1) / 6.14e7
    return {f"state.{name}": row for name, row in zip(_STATES, y, strict=True)} | {
        "centiloid": 236.6 * (v.sP * (1e-4 * F + P) + v.AB0) - 246.9,
        "tau_pet": (v.sI2T * _tangles(y)) ** 1.5 + v.tau0,
        "plasma_ratio": 9.9e-6 * A + v.ab0 * np.exp(-0.0019 * _AGE),
        "plasma_tau": 0.078 * TP + v.pt0,
        "cdr_sb": np.minimum(18, 0.69 + v.aC * (1 + v.hC * (1e-3 * F + P)) * cC**v.shC),
        "adas_cog": np.minimum(90, 7.54 + v.aD * (1 + v.hD * (1e-3 * F + P)) * cD ** (v.shD * np.exp(-0.021 * _AGE))),
    }


@functools.cache
def tau_pet_scale() -> float:
    """sI2T from the tau PET printed of 27 years, in two digits as the specification prints its other numbers."""
    return float(f"{tau_pet_scale_of(TAU_PET_PRINTED[27.0], 27.0):.1e}")


def tau_pet_scale_of(printed: float, years: float) -> float:
    """The sI2T with which the typical person, untreated, would have this tau PET then."""
    tangles = _tangles(_alzheimer_states(_ALZHEIMER, [years], "LSODA", {}))
    return float((printed - _ALZHEIMER.tau0) ** (2 / 3) / tangles[0])


def _tangles(y: np.ndarray) -> np.ndarray:
    """What tau PET sees, before its scale."""
    return 0.47 * y[_STATES.index("oligomeric")] + y[_STATES.index("tangled")]


def _alzheimer_states(
    v: SimpleNamespace, times: Sequence[float], method: str, lecanemab: Mapping[float, float]
) -> np.ndarray:
    def rates_under(Cav: float) -> Rates:
        effF, effP = 1 + v.DF * Cav, 1 + v.DP * np.exp(0.041 * _AGE) * Cav

        def rates(t: float, y: np.ndarray) -> np.ndarray:
            A, O, F, P, N, I0, I1, I2, _, TS, TP = y  # noqa: E741
            aA, aT = F + P, F + 0.39 * P
            fN = v.tN * N * (1 + v.sN1 * aT) + v.bTS * N * TS * (1 + v.sN2 * aT)
            f01 = v.t01 * I0 * (1 + v.e01 * aT + v.r01 * TS)
            f12 = v.t12 * I1 * (1 + v.e12 * aT + v.r12 * TS)
            f2d = v.dI2 * I2 * (1 + v.e2d * aT + v.r2d * TS)
            return np.array([
                v.pNA * (N + I0 + I1 + I2) - v.kAO * A * (1 + v.sA * aA) + v.kOA * O - v.cA * A,
                v.kAO * A * (1 + v.sA * aA) - v.kOF * O * (1 + v.sO * aA) + v.kFO * F - v.kOA * O - v.cO * O,
                v.kOF * O * (1 + v.sO * aA) - v.kFP * F * (1 + v.sF * aA) + v.kPF * P - v.kFO * F - effF * v.cF * F,
                v.kFP * F * (1 + v.sF * aA) - v.kPF * P - effP * v.cP * P,
                -fN + v.rI0 * I0,
                fN - f01 - v.rI0 * I0 + v.rI1 * I1,
                f01 - f12 + v.rI2 * I2 - v.rI1 * I1,
                f12 - f2d - v.rI2 * I2,
                f2d,
                (v.pS0 * I0 + v.pS1 * I1 + v.pS2 * I2) * (1 + v.sTS * aT) - v.cTS * TS,
                (v.pP0 * I0 + v.pP1 * I1 + v.pP2 * I2) * (1 + v.sTP * aT) + v.pPN * N - v.cTP * TP,
            ])  # fmt: skip

        return rates

    start = [1700.0, 0, 0, 0, 6.14e7, 0, 0, 0, 0, 0, 0]
    pieces = [Piece(0.0, rates_under(0.0)), *(Piece(time, rates_under(c)) for time, c in lecanemab.items())]
    return integrate(pieces, start, times, method=method)


def _both(names: Sequence[str], rows: np.ndarray) -> Course:
    """Each state, and the observable of the same name."""
    return {prefix + name: row for name, row in zip(names, rows, strict=True) for prefix in ("", "state.")}
