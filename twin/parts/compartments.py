"""Reusable blocks of states: the compartments and chains that disease models embed by name.

Each block holds its states and says, in `rates`, how they flow; equations of a block are written here
and nowhere else. All of them are linear in their states, so a model may declare them so.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import equinox as eqx

from ..errors import TwinError
from ..model import state
from ..types import Scalar


def only_by_name(rates: Callable[..., Any]) -> Callable[..., Any]:
    """A block's `rates` that says in one sentence which arguments it takes, wherever in a solver it is called."""
    takes = [name for name in inspect.signature(rates).parameters if name != "self"]

    @functools.wraps(rates)
    def call_checked(self: Any, *unnamed: Any, **given: Any) -> Any:
        odd = [f"unknown argument '{name}'" for name in given if name not in takes]
        odd += [f"'{name}' is missing" for name in takes if name not in given and not unnamed]
        if unnamed or odd:
            wrong = "its arguments have names" if unnamed else odd[0]
            raise TwinError(f"{type(self).__name__}.rates: {wrong}; write {', '.join(f'{n}=' for n in takes)}")
        return rates(self, **given)

    return call_checked


class OneCompartment(eqx.Module):
    """A drug given into the blood."""

    central: Scalar = state("", "in the central compartment")

    @only_by_name
    def rates(self, *, clearance: Scalar, volume: Scalar) -> OneCompartment:
        return OneCompartment(central=-clearance / volume * self.central)


class OralOneCompartment(eqx.Module):
    """A drug absorbed at first order from a depot (gut or skin) into one compartment."""

    depot: Scalar = state("", "not yet absorbed")
    central: Scalar = state("", "in the central compartment")

    @only_by_name
    def rates(self, *, absorption: Scalar, clearance: Scalar, volume: Scalar) -> OralOneCompartment:
        absorbed = absorption * self.depot
        return OralOneCompartment(depot=-absorbed, central=absorbed - clearance / volume * self.central)


class TwoCompartment(eqx.Module):
    """A drug given into the blood that also distributes into tissue."""

    central: Scalar = state("", "in the central compartment")
    peripheral: Scalar = state("", "in the peripheral compartment")

    @only_by_name
    def rates(
        self, *, clearance: Scalar, volume: Scalar, exchange: Scalar, peripheral_volume: Scalar
    ) -> TwoCompartment:
        out = exchange * (self.central / volume - self.peripheral / peripheral_volume)
        return TwoCompartment(central=-clearance / volume * self.central - out, peripheral=out)


class OralTwoCompartment(eqx.Module):
    """First-order absorption into two compartments."""

    depot: Scalar = state("", "not yet absorbed")
    central: Scalar = state("", "in the central compartment")
    peripheral: Scalar = state("", "in the peripheral compartment")

    @only_by_name
    def rates(
        self,
        *,
        absorption: Scalar,
        clearance: Scalar,
        volume: Scalar,
        exchange: Scalar,
        peripheral_volume: Scalar,
    ) -> OralTwoCompartment:
        absorbed = absorption * self.depot
        body = TwoCompartment(self.central, self.peripheral).rates(
            clearance=clearance, volume=volume, exchange=exchange, peripheral_volume=peripheral_volume
        )
        return OralTwoCompartment(-absorbed, body.central + absorbed, body.peripheral)


class ThreeCompartment(eqx.Module):
    """A drug given into the blood with a fast and a slow tissue compartment."""

    central: Scalar = state("", "in the central compartment")
    shallow: Scalar = state("", "in the shallow peripheral compartment")
    deep: Scalar = state("", "in the deep peripheral compartment")

    @only_by_name
    def rates(
        self,
        *,
        clearance: Scalar,
        volume: Scalar,
        shallow_exchange: Scalar,
        shallow_volume: Scalar,
        deep_exchange: Scalar,
        deep_volume: Scalar,
    ) -> ThreeCompartment:
        to_shallow = shallow_exchange * (self.central / volume - self.shallow / shallow_volume)
        to_deep = deep_exchange * (self.central / volume - self.deep / deep_volume)
        return ThreeCompartment(
            central=-clearance / volume * self.central - to_shallow - to_deep,
            shallow=to_shallow,
            deep=to_deep,
        )


class OralThreeCompartment(eqx.Module):
    """First-order absorption into three compartments."""

    depot: Scalar = state("", "not yet absorbed")
    central: Scalar = state("", "in the central compartment")
    shallow: Scalar = state("", "in the shallow peripheral compartment")
    deep: Scalar = state("", "in the deep peripheral compartment")

    @only_by_name
    def rates(
        self,
        *,
        absorption: Scalar,
        clearance: Scalar,
        volume: Scalar,
        shallow_exchange: Scalar,
        shallow_volume: Scalar,
        deep_exchange: Scalar,
        deep_volume: Scalar,
    ) -> OralThreeCompartment:
        absorbed = absorption * self.depot
        body = ThreeCompartment(self.central, self.shallow, self.deep).rates(
            clearance=clearance,
            volume=volume,
            shallow_exchange=shallow_exchange,
            shallow_volume=shallow_volume,
            deep_exchange=deep_exchange,
            deep_volume=deep_volume,
        )
        return OralThreeCompartment(-absorbed, body.central + absorbed, body.shallow, body.deep)


@functools.cache
def chain(stages: int) -> type:
    """A block of `stages` equal first-order stages, `stage_1` to `stage_<stages>` (an Erlang delay).

    `rates(inflow, rate)` feeds the first; `last` is what leaves, before multiplication by `rate`.
    """
    names = tuple(f"stage_{i}" for i in range(1, stages + 1))

    @only_by_name
    def rates(self, *, inflow: Scalar, rate: Scalar):
        content = [getattr(self, name) for name in names]
        arriving = [inflow, *(rate * c for c in content[:-1])]
        return type(self)(*(a - rate * c for a, c in zip(arriving, content, strict=True)))

    members = {
        "__annotations__": dict.fromkeys(names, Scalar),
        "__module__": __name__,
        "__doc__": f"{stages} equal first-order stages.",
        "rates": rates,
        "last": property(lambda self: getattr(self, names[-1])),
        **{name: state("", f"stage {i} of {stages}") for i, name in enumerate(names, start=1)},
    }
    return type(f"Chain{stages}", (eqx.Module,), members)
