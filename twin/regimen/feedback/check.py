"""What is wrong with rules before anyone is treated by them: gaps, rules out of reach, doses out of bounds."""

from __future__ import annotations

import math

from .rule import Rule, Rules


def rules_problems(rules: Rules) -> list[str]:
    """One sentence each; empty if nothing is wrong."""
    return [*_unreachable(rules), *_doses(rules), *_idle_lines(rules)]


def _fits_all(rule: Rule) -> bool:
    """Whether a rule fits every reading in every circumstance."""
    everything = rule.above == rule.at_least == -math.inf and rule.below == rule.at_most == math.inf
    return everything and _is_plain(rule)


def _is_plain(rule: Rule) -> bool:
    """Whether it depends on the reading alone."""
    sure = rule.chance >= 1 and math.isinf(rule.limit) and not rule.resume
    return sure and rule.when is None and rule.again is None and rule.in_a_row == 1 and not rule.lasting


def _unreachable(rules: Rules) -> list[str]:
    found = []
    for k, rule in enumerate(rules.rules):
        last = k == len(rules.rules) - 1
        if _is_empty(rule, rules.assay.rounded):
            found.append(f"feedback.rules[{k}] ({rule.name}) fits no reading; mend its limits")
        elif not last and _is_covered(rule, rules.rules[:k]):
            found.append(
                f"feedback.rules[{k}] ({rule.name}) is never reached: rules before it fit all it would; move it up"
            )
        elif _fits_all(rule) and not last:
            found.append(
                f"feedback.rules[{k}] ({rule.name}) fits every reading, so none after it is reached; move it to the end"
            )
            break
        elif last and not _fits_all(rule):
            found.append(
                f"feedback.rules[{k}] ({rule.name}) is the last and does not fit every reading; add '- {{dose: same}}'"
                ", or what is to be done about the others"
            )
    return found


def _ends(rule: Rule) -> tuple[tuple[float, bool], tuple[float, bool]]:
    """The range that a rule fits: each end, and whether it belongs to it."""
    low = (rule.above, False) if rule.above >= rule.at_least else (rule.at_least, True)
    high = (rule.below, False) if rule.below <= rule.at_most else (rule.at_most, True)
    return low, high


def _is_empty(rule: Rule, rounded: float) -> bool:
    (low, low_in), (high, high_in) = _ends(rule)
    if low > high or (low == high and not (low_in and high_in)):
        return True
    if not rounded or math.isinf(low) or math.isinf(high):
        return False
    first = math.floor(low / rounded + 1e-9) + (0 if low_in and abs(low / rounded - round(low / rounded)) < 1e-9 else 1)
    value = first * rounded
    return value > high + 1e-9 * rounded or (abs(value - high) < 1e-9 * rounded and not high_in)


def _is_covered(rule: Rule, before: tuple[Rule, ...]) -> bool:
    """Whether rules that depend on the reading alone fit, together, whatever this one does."""
    (low, low_in), (high, high_in) = _ends(rule)
    plain = [_ends(r) for r in before if _is_plain(r)]
    here, open_ = low, low_in  # the first reading that is not yet covered: `here` itself, or what follows it
    for _ in plain:
        for (first, first_in), (last, last_in) in plain:
            begins = first < here or (first == here and (first_in or not open_))
            if begins and (last > here or (last == here and last_in and open_)):
                here, open_ = last, not last_in
    return here > high or (here == high and not (open_ and high_in)) or (math.isinf(here) and here > 0)


def _doses(rules: Rules) -> list[str]:
    found = []
    products = rules.products
    for i, level in enumerate(rules.levels):
        if rules.per is None and not products.least <= level <= products.most:
            found.append(f"feedback.levels[{i}]: {level:g} is not between the least and the most that can be given")
    for k, rule in enumerate(rules.rules):
        if rule.dose.to > 0 and rule.dose.per is None and not products.least <= rule.dose.to <= products.most:
            found.append(
                f"feedback.rules[{k}].dose: {rule.dose.to:g} is not between the least and the most that can be given"
            )
    return found


def _idle_lines(rules: Rules) -> list[str]:
    taken = {rule.switch for rule in rules.rules}
    return [
        f"feedback.lines.{name}: no rule switches to it; add a rule with switch: {name}, or leave it out"
        for name, _ in rules.lines
        if name not in taken
    ]
