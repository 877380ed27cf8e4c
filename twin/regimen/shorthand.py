"""The text shorthand of a regimen: '10 mg q24h x2 then 5 mg q24h', '75 mg/m2 over 1 h q21d x3'."""

from __future__ import annotations

import dataclasses
import math
import re

from ..errors import TwinError, shorten
from ..quantity import LONGEST, NUMBER, Span, duration, interval, parse_span
from .dose import MOST_DOSES, Dose, read_amount

_EVERY_WORDS = {
    "twice daily": "q12h",
    "three times daily": "q8h",
    "four times daily": "q6h",
    "every other day": "q48h",
    "once daily": "q24h",
    "once weekly": "q7d",
    "daily": "q24h",
    "weekly": "q7d",
    "qd": "q24h",
    "bid": "q12h",
    "tid": "q8h",
    "qid": "q6h",
    "qod": "q48h",
    "qw": "q7d",
}
_KEYWORD = r"over\b|q\s*[\d.]|x\s*\d|from\b|at\b|for\b|every\b|then\b"
_PHASE = re.compile(
    rf"""(?P<amount>({NUMBER})\s*(?!{_KEYWORD})[^\s@]*?(?:\s*/\s*(?:kg|m2|m\^2|min|h|day))*)
    (?:\s+(?P<treatment>(?!{_KEYWORD})[a-z][a-z0-9_]*))?
    (?:\s+over\s+(?P<over>(?:{NUMBER})\s*[a-z]+))?
    (?:\s+(?:q\s*|every\s+)(?P<every>(?:{NUMBER})\s*[a-z]+))?
    (?:\s+x\s*(?P<count>\d+)|\s+(?:for\s+|x\s*)(?P<length>(?:{NUMBER})\s*[a-z]+))?
    (?:\s+(?:from|at)\s+(?P<time>(?:day|week|hour|h|min)\s+(?:{NUMBER})|(?:{NUMBER})\s*[a-z]*))?
    (?P<steady>\s+at\s+steady\s+state)?""",
    re.VERBOSE | re.IGNORECASE,
)
_GRAMMAR = "write 'AMOUNT [over TIME] [qINTERVAL] [xN | for TIME] [from TIME]', such as '5 mg q24h x14 from day 0'"


def parse_text(text: str) -> tuple[Dose, ...]:
    """Doses from the text shorthand; phases joined by 'then' follow one another, by ';' or '+' run alongside."""
    doses: list[Dose] = []
    text = " ".join(text.split())  # single blanks, so that no expression tries to divide a run of them
    if text.lower() in ("none", "nothing", "no treatment"):
        return ()
    for group in re.split(r" ?[;+] | ?; ?", text):
        begin: Span | None = None
        before: Dose | None = None
        phases = re.split(r",? then ", group, flags=re.IGNORECASE)
        for number, phase in enumerate(phases, start=1):
            dose, length = _phase(phase, begin)
            if before is not None and dose.treatment is None:  # 'then' goes on with what was given
                dose = dataclasses.replace(dose, treatment=before.treatment)
            before = dose
            doses.append(dose)
            if length is None and number < len(phases):
                lacks = (
                    "how long; add 'q24h xN' or 'for'" if dose.time.unit else "the unit of its start; add 'day' or 'h'"
                )
                raise TwinError(f"'{shorten(phase)}': a phase before 'then' must say {lacks}")
            begin = length and Span(dose.time.within("h") + length.within("h"), "h")
    return tuple(doses)


def _phase(phase: str, begin: Span | None) -> tuple[Dose, Span | None]:
    plain = phase.strip()
    if len(plain) > LONGEST:
        raise TwinError(f"regimen '{shorten(phase)}' is longer than {LONGEST} characters; {_GRAMMAR}")
    for words, letter in _EVERY_WORDS.items():
        plain = re.sub(rf"\b{words}\b", letter, plain, flags=re.IGNORECASE)
    match = _PHASE.fullmatch(plain)
    if not match:
        raise TwinError(f"regimen '{shorten(phase)}' cannot be read; {_GRAMMAR}")
    over = duration(match["over"]) if match["over"] else None
    amount, unit, per = read_amount(match["amount"], over)
    every = interval(match["every"]) if match["every"] else None
    count = _count(match, every, phase)
    if match["steady"] and every is None:
        raise TwinError(f"regimen '{shorten(phase)}': a steady state needs an interval; add one such as 'q24h'")
    time = parse_span(match["time"]) if match["time"] else (begin or Span(0.0, "h"))
    time = time if time.unit else Span(time.value, "h") if time.value == 0 else time
    dose = Dose(
        amount=amount,
        unit=unit or "",
        per=per,
        time=time,
        treatment=match["treatment"],
        every=every,
        count=count,
        over=over,
        steady_state=1 if match["steady"] else 0,
    )
    length = Span(every.within("h") * count, "h") if every and count and time.unit else None
    return dose, length


def _count(match: re.Match[str], every: Span | None, phase: str) -> int | None:
    """How many doses a phase has; None if it goes on until the end."""
    said = f"regimen '{shorten(phase)}'"
    if match["length"]:
        if every is None:
            raise TwinError(f"{said}: 'for' needs an interval; write '5 mg q24h for 14 day'")
        length = parse_span(match["length"])
        if not length.value > 0:
            raise TwinError(f"{said}: 'for {match['length']}' is not longer than nothing; write 'for 14 day'")
        doses = length.within("h") / every.within("h")
    elif match["count"]:
        doses = float(match["count"])  # an int of thousands of digits would not be read
        if every is None and doses != 1:
            raise TwinError(f"{said}: x{shorten(match['count'])} needs an interval; write '5 mg q24h x14'")
    else:
        return None if every else 1
    if not 0 < doses <= MOST_DOSES:
        raise TwinError(f"{said}: {doses:g} is not a number of doses between 1 and {MOST_DOSES}")
    return max(1, math.ceil(doses - 1e-9))
