"""What `fit` may hold: which numbers of a population are estimated from patients' data, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..files.schema import Closed, Name, Number, Whole

MOST_CLASSES, MOST_DRAWS, MOST_STARTS = 5, 65_536, 50


class SitesEntry(Closed):
    """Groups of patients, such as hospitals, whose parameters deviate together."""

    by: Name = Field(description="The covariate that says which a patient belongs to")
    of: list[Name] = Field(min_length=1, description="Parameters that deviate by site")
    correlated: bool = Field(False, description="Whether these deviations correlate")
    levels: list[Name] | None = Field(
        None, min_length=2, description="The sites' names, where they are words and the model does not know `by`"
    )


class MixtureEntry(Closed):
    """Classes of patients that nobody has labelled."""

    of: list[Name] = Field(min_length=1, description="Parameters whose typical values differ between classes")
    classes: Whole = Field(2, ge=2, le=MOST_CLASSES, description="How many classes there are")


class NumberPriorEntry(Closed):
    """What is believed of a typical value, a coefficient or an error before the data."""

    normal: dict[Name, Number] | None = Field(
        None, description="{mean, sd} of a coefficient; of a positive number {median, cv}, on its logarithm"
    )
    published: bool | None = Field(None, description="The model's own value with the standard error it declares")
    shrunk: Number | None = Field(None, gt=0, description="Towards 0, with this scale: a Laplace prior")


class SpreadPriorEntry(Closed):
    """What is believed of the covariance of patients' deviations before the data."""

    inverse_wishart: Number | None = Field(
        None, gt=0, description="Degrees of freedom; the model's own covariance is where it centres (NONMEM's NWPRI)"
    )
    lkj: Number | None = Field(None, gt=0, description="Shape of correlations: 1 is flat, more is closer to none")
    half_normal: Number | None = Field(None, gt=0, description="Scale of standard deviations")
    half_cauchy: Number | None = Field(None, gt=0, description="Scale of standard deviations, with a heavy tail")


class PopulationPriors(Closed):
    """What is believed of the population before the data."""

    values: dict[Name, NumberPriorEntry] = Field(default_factory=dict, description="Of single numbers, by name")
    spread: SpreadPriorEntry | None = Field(None, description="Of the covariance between patients")
    published: bool = Field(False, description="Every estimated value that declares a standard error, as published")


class SearchEntry(Closed):
    """Covariates that are searched for effects on parameters, by the draws that a fit has stored."""

    covariates: list[Name] | None = Field(
        None, min_length=1, description="Covariates that are tried; all that differ between patients, if left out"
    )
    parameters: list[Name] | None = Field(
        None, min_length=1, description="Effects that they may act on; all that are log-normal, if left out"
    )
    forms: dict[Name, Literal["power", "exponential"]] = Field(
        default_factory=dict, description="A covariate's form; power of positive numbers, if left out"
    )
    bootstrap: Whole = Field(
        200, ge=1, le=10_000, description="Samples of patients in which covariates are chosen anew"
    )
    level: Number = Field(
        0.01, gt=0, lt=1, description="Of the test by which a forward step accepts the best covariate"
    )


class FitEntry(Closed):
    """A population estimated from the patients' measurements."""

    effects: list[Name] | None = Field(
        None, description="Parameters that differ between patients; all whose spread the model declares, if left out"
    )
    correlated: Literal["all"] | list[list[Name]] | None = Field(
        None, description="Groups of these that correlate; those that the model correlates, if left out"
    )
    estimate: list[Name] = Field(
        default_factory=list, description="Further parameters, without an effect, whose values are estimated"
    )
    fix: list[Name] = Field(default_factory=list, description="Parameters whose typical value stays the model's")
    fix_spread: list[Name] = Field(default_factory=list, description="Parameters whose spread stays the model's")
    sites: SitesEntry | None = Field(None, description="Sites, as a level above patients")
    mixture: MixtureEntry | None = Field(None, description="Classes that nobody has labelled")
    priors: PopulationPriors | None = Field(None, description="What is believed before the data; nothing, if left out")
    method: Literal["auto", "nodes", "draws", "bayes"] = Field(
        "auto",
        description="nodes: quadrature, up to four numbers a patient; draws: importance sampling; bayes: the whole "
        "posterior of the population; auto takes nodes up to three, and draws beyond",
    )
    draws: Whole = Field(512, ge=64, le=MOST_DRAWS, description="Stored draws of each patient in the last rounds")
    starts: Whole = Field(1, ge=1, le=MOST_STARTS, description="From how many places the search begins")
    bootstrap: Whole = Field(0, ge=0, le=100_000, description="How many samples of patients are fitted again")
    bootstrap_by: Name | None = Field(None, description="Covariate whose groups keep their sizes in these samples")
    sir: Whole = Field(
        0, ge=0, le=100_000, description="Vectors drawn by the estimates' covariance, then by their likelihood (SIR)"
    )
    uncertainty: Literal["covariance", "sandwich", "sir", "bootstrap", "bayes"] | None = Field(
        None, description="Where other populations for `uncertainty: true` come from; covariance, if left out, or bayes"
    )
    walkers: bool = Field(False, description="Whether walkers sample a few patients again, to see missed modes")
    profile: list[Name] = Field(default_factory=list, description="Numbers whose likelihood profile is drawn")
    search: SearchEntry | None = Field(None, description="Covariates that are searched for effects; none, if left out")
