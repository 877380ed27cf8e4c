"""What an allele of a VCF record does at a site: the reference, the variant, or something that no table has."""

from __future__ import annotations

REFERENCE, VARIANT = "reference", "variant"


class Unusable(Exception):
    """A base or a change that is neither; its text says what."""


def at_site(position: int, reference: str, allele: str, at: int, expected: str, alternate: str) -> str:
    """REFERENCE or VARIANT of a site at `at`, where the genome has `expected`; raises Unusable.

    A record may be longer than the site, with common bases before and after, and may begin before it.
    """
    if not allele.isalpha():
        raise Unusable("has an allele without bases (symbolic or spanning)")
    position, reference, allele = _trim(position, reference, allele)
    if len(expected) != len(alternate):  # an insertion or deletion
        if (position, reference, allele) == _trim(at, expected, alternate):
            return VARIANT
        touched = position <= at + len(expected) - 1 and at <= position + len(reference) - 1
        if not touched or (len(reference) == len(allele) and position + len(reference) - 1 <= at):
            return REFERENCE
        raise Unusable("has a change that no allele in the table has")
    if len(reference) == len(allele):
        if not position <= at < position + len(reference):
            return REFERENCE
        return _reference_or_variant(allele[at - position], expected, alternate)
    if position < at < position + len(reference):
        raise Unusable("lies in a deletion")
    return REFERENCE


def _reference_or_variant(base: str, expected: str, alternate: str) -> str:
    if base not in (expected, alternate):
        raise Unusable("has a base that no allele in the table has")
    return REFERENCE if base == expected else VARIANT


def _trim(position: int, reference: str, allele: str) -> tuple[int, str, str]:
    """A change with one base at least on both sides, without common bases: first at the end, then at the beginning."""
    while len(reference) > 1 and len(allele) > 1 and reference[-1] == allele[-1]:
        reference, allele = reference[:-1], allele[:-1]
    while len(reference) > 1 and len(allele) > 1 and reference[0] == allele[0]:
        position, reference, allele = position + 1, reference[1:], allele[1:]
    return position, reference, allele
