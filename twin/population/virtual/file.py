"""What `population` of a scenario may hold: the closed schema, which Python's mappings are held to as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from ...files.schema import Closed, Name, Number, Quantity, Text, Whole
from ...settings import MOST_DRAWS


class NormalEntry(Closed):
    """A normal distribution."""

    mean: Quantity = Field(description="The mean: '67 year'")
    sd: Quantity = Field(description="The standard deviation")


class LogNormalEntry(Closed):
    """A log-normal distribution, by its median or its mean."""

    median: Quantity | None = Field(None, description="The median: '80 kg'")
    mean: Quantity | None = Field(None, description="The mean, instead of the median")
    cv: Number | None = Field(None, gt=0, description="The coefficient of variation, 0.2 for 20 %")
    sd: Number | None = Field(None, gt=0, description="The standard deviation of the logarithm, instead of cv")


class UniformEntry(Closed):
    """Any value between two, each as likely."""

    start: Quantity = Field(alias="from", description="The smallest value")
    to: Quantity = Field(description="The largest value")


class CopiesEntry(Closed):
    """How many copies of an allele a person has, under Hardy-Weinberg."""

    frequency: Number = Field(ge=0, le=1, description="The allele's frequency")
    levels: list[Name] | None = Field(
        None, min_length=3, max_length=3, description="The levels for no, one and two copies; 0, 1, 2 if left out"
    )


def _rest_or_number(given: Any) -> str:
    return "<text>" if isinstance(given, str) else "<number>"


Frequency = Annotated[
    Annotated[Literal["rest"], Tag("<text>")] | Annotated[float, Field(ge=0, le=1), Tag("<number>")],
    Discriminator(_rest_or_number),
]


class ColumnEntry(Closed):
    """Where one column comes from: exactly one source, and the limits of what is plausible."""

    normal: NormalEntry | None = Field(None, description="A normal distribution: {mean: 67 year, sd: 13 year}")
    log_normal: LogNormalEntry | None = Field(None, description="A log-normal one: {median: 80 kg, cv: 0.2}")
    uniform: UniformEntry | None = Field(None, description="Any value between two: {from: 18, to: 65}")
    chances: dict[Name, Annotated[float, Field(ge=0)]] | None = Field(
        None, description="Values with probabilities: {female: 0.53, male: 0.47}"
    )
    alleles: dict[Name, Frequency] | None = Field(
        None, description="Alleles with their frequencies, under Hardy-Weinberg: {'*1': rest, '*2': 0.124, '*3': 0.073}"
    )
    copies: CopiesEntry | None = Field(None, description="Copies of one allele: {frequency: 0.14, levels: [...]}")
    formula: Text | None = Field(None, description="Computed from other columns: 'sqrt(weight * height / 3600)'")
    by: dict[Name, dict[Name, ColumnEntry]] | None = Field(
        None, description="Another source for each level of a column: {ancestry: {european: {...}, african: {...}}}"
    )
    low: Quantity | None = Field(None, description="The smallest plausible value; who is below is drawn again")
    high: Quantity | None = Field(None, description="The largest plausible value; who is above is drawn again")
    unit: Name | None = Field(None, description="The unit, of a column that the model does not have")


class PairEntry(Closed):
    """How two columns go together, by a Gaussian copula: exactly one of tau, rank and normal."""

    between: list[Name] = Field(min_length=2, max_length=2, description="Two columns: [weight, height]")
    tau: Number | None = Field(None, gt=-1, lt=1, description="Kendall's tau")
    rank: Number | None = Field(None, gt=-1, lt=1, description="Spearman's rank correlation")
    normal: Number | None = Field(None, gt=-1, lt=1, description="The correlation of the normals behind them")


class TableColumnEntry(Closed):
    """What one column of a table is."""

    to: Name | None = Field(None, description="A covariate of the model")
    new: Name | None = Field(None, description="A further column that the model does not have, such as height")
    unit: Name | None = Field(None, description="The unit of its numbers, if not the covariate's own")
    levels: dict[Name, Name] = Field(default_factory=dict, description="The table's words -> levels")


def _mapping_or_text(given: Any) -> str:
    return "<mapping>" if isinstance(given, Mapping) else "<text>"


class TableEntry(Closed):
    """A table with a row a person."""

    path: Text = Field(description="A delimited file with a header, from this file's folder")
    take: Literal["rows", "copula", "vine"] = Field(
        description="rows: each person is a row; copula: margins and correlations of the table; vine: any shape"
    )
    columns: dict[
        Name,
        Annotated[
            Annotated[Name, Tag("<text>")] | Annotated[TableColumnEntry, Tag("<mapping>")],
            Discriminator(_mapping_or_text),
        ],
    ] = Field(min_length=1, description="The table's columns -> covariates: {AGE: age, WT: {to: weight, unit: lb}}")


class CohortEntry(Closed):
    """Real patients, by the draws of a calibration."""

    path: Text = Field(description="A result folder of twin calibrate or twin simulate, with twin.zarr")
    patients: list[Name] | None = Field(None, min_length=1, description="Some of its patients; all if left out")


ColumnForm = Annotated[
    Annotated[Quantity, Tag("<text>")] | Annotated[ColumnEntry, Tag("<mapping>")], Discriminator(_mapping_or_text)
]


class PopulationEntry(Closed):
    """Who is treated, drawn person by person. Every covariate of the model needs a source."""

    size: Whole = Field(1000, ge=1, le=MOST_DRAWS, description="How many persons")
    covariates: dict[Name, ColumnForm] = Field(
        default_factory=dict,
        description="By name: a distribution, '= FORMULA', one value for all, or the word reference (the model's own)",
    )
    others: dict[Name, ColumnEntry] = Field(
        default_factory=dict, description="Columns that the model does not have and others are computed from"
    )
    correlations: list[PairEntry] = Field(
        default_factory=list, description="Pairs of columns that go together; all others are independent"
    )
    tables: list[TableEntry] = Field(default_factory=list, description="Tables of people")
    cohort: CohortEntry | None = Field(None, description="Virtual twins of real patients: their posterior draws")
    where: list[Text] = Field(
        default_factory=list, description="What is plausible: ['age >= 18', 'weight < 3 * height']"
    )
