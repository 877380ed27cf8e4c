"""What is known of the published cases: the numbers of each folder's SOURCE.md, with -2 log L always in full.

`variances` are those of effects on the scale on which they are normal; a noise's numbers are standard deviations and
stand among `typical`. `errors` are standard errors: of typical values by name, of variances by "variance of <name>".
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

NORMAL = math.log(2 * math.pi)  # what a measurement adds to -2 log L, and most tools leave out


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A population: by whom, what was estimated, how exactly; `reported` is what the tool said -2 log L was there."""

    by: str
    typical: Mapping[str, float]
    variances: Mapping[str, float]
    minus_two_ll: float | None = None  # exact, in full
    reported: float | None = None  # in full, too
    errors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    correlations: Mapping[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    occasion_variances: Mapping[str, float] = dataclasses.field(default_factory=dict)
    occasion_correlations: Mapping[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    site_variances: Mapping[str, float] = dataclasses.field(default_factory=dict)
    site_correlations: Mapping[tuple[str, str], float] = dataclasses.field(default_factory=dict)

    @property
    def sds(self) -> dict[str, float]:
        """The effects' standard deviations."""
        return {name: math.sqrt(value) for name, value in self.variances.items()}


def _named(names: str, values: str) -> dict[str, float]:
    return dict(zip(names.split(), map(float, values.split()), strict=True))


def _errors(names: str, values: str, effects: str, of_variances: str) -> dict[str, float]:
    variances = _named(effects, of_variances)
    return _named(names, values) | {f"variance of {name}": value for name, value in variances.items()}


def _squares(names: str, sds: str, errors: str) -> tuple[dict[str, float], dict[str, float]]:
    """Variances and their standard errors from what is printed of standard deviations."""
    sd, error = _named(names, sds), _named(names, errors)
    return {n: s**2 for n, s in sd.items()}, {f"variance of {n}": 2 * sd[n] * error[n] for n in sd}


# --- warfarin -----------------------------------------------------------------------------------------

_ORAL, _NOISY = "clearance volume absorption", "clearance volume absorption error"

WARFARIN10 = Fitted(
    "exact ML", _named(_NOISY, ".1326866 7.737427 .8109003 .01056495"), _named(_ORAL, ".02859153 .009592084 .3360138"),
    -285.97717 + 110 * NORMAL,
    errors=_errors(_NOISY, ".007097 .2400 .1487 .0008354", _ORAL, ".01279 .004305 .1504"),
)  # fmt: skip
WARFARIN10_LAPLACE = -285.97029 + 110 * NORMAL  # at the exact ML, with the exact Hessian
WARFARIN10_OTHERS = (
    Fitted(
        "NONMEM IMP", _named(_ORAL, ".126405 7.72337 .88565") | {"error": math.sqrt(1.09576e-4)},
        _named(_ORAL, ".0304425 .00958579 .340519"), -284.93802 + 110 * NORMAL, -285.685 + 110 * NORMAL,
    ),
    Fitted(
        "NONMEM IMPMAP", _named(_ORAL, ".135 7.89 .730") | {"error": math.sqrt(1.07e-4)},
        _named(_ORAL, ".0291 .0101 .340"), -285.08548 + 110 * NORMAL, -284.917 + 110 * NORMAL,
    ),
    Fitted(
        "ferx FOCEI", _named(_NOISY, ".1327 7.737 .811 .01056"), _named(_ORAL, ".0286 .0096 .336"),
        -285.97713 + 110 * NORMAL, -286.00 + 110 * NORMAL,
    ),
)  # fmt: skip
# NONMEM's standard errors at its FOCEI estimates, by the matrix it makes them of.
WARFARIN10_ERRORS = {
    "R": _errors(_NOISY, ".00710 .2401 .1486 .000835", _ORAL, ".01279 .00431 .1504"),
    "S": _errors(_NOISY, ".00930 .4602 .2268 .001545", _ORAL, ".01764 .008287 .2596"),
    "RSR": _errors(_NOISY, ".00710 .2403 .1487 .000796", _ORAL, ".01093 .003978 .1396"),
}
# Exact conditional means and standard deviations of the effects on logarithms, at the exact ML.
WARFARIN10_EFFECTS = {
    "1": (_named(_ORAL, ".030015 .065152 .370225"), _named(_ORAL, ".003857 .005371 .014516")),
    "6": (_named(_ORAL, "-.008305 .069609 1.247471"), _named(_ORAL, ".003898 .004852 .025119")),
    "10": (_named(_ORAL, "-.058906 .037872 -.501575"), _named(_ORAL, ".004068 .006138 .011585")),
}

WARFARIN_M3 = Fitted(
    "exact ML", _named(_NOISY, ".1328015 7.731439 .8098301 .01076002"), _named(_ORAL, ".02884393 .009544336 .3358156"),
    -216.80589 + 100 * NORMAL,
    errors=_errors(_NOISY, ".007135 .2393 .1485 .0009085", _ORAL, ".01291 .004287 .1504"),
)  # fmt: skip
WARFARIN_M3_LAPLACE = Fitted(
    "NONMEM LAPLACE INTER", _named(_NOISY, ".132801 7.73139 .809824 .010760"), _named(_ORAL, ".028849 .009544 .335772"),
    reported=-216.78754 + 100 * NORMAL,
)  # fmt: skip

WARFARIN_IOV = Fitted(
    "exact ML", _named(_NOISY, ".1713347 8.621613 1.195313 .1878966"), _named(_ORAL, ".04076663 .01052288 .02696932"),
    310.0232 + 220 * NORMAL,  # 9 nodes; 310.0252 by 7
    errors=_errors(_NOISY, ".01334 .3385 .0967 .0101", _ORAL, ".0284 .00633 .0289")
    | {"occasion variance of clearance": 0.0177},
    occasion_variances={"clearance": 0.03555079},
)  # fmt: skip
WARFARIN_IOV_FOCEI = Fitted(
    "NONMEM FOCEI", _named(_NOISY, ".172776 8.62821 1.17856 .188116"), _named(_ORAL, ".0399349 .0107782 .0254197"),
    310.0758 + 220 * NORMAL, 308.8305 + 220 * NORMAL, occasion_variances={"clearance": 0.0357084},
)  # fmt: skip
# Exact conditional means and sds of log clearance in each occasion, log volume and log absorption, at the exact ML.
WARFARIN_IOV_EFFECTS = {
    "1": ((-2.14375, -2.10166, 2.25261, 0.11782), (0.07042, 0.0772, 0.05538, 0.12608)),
    "3": ((-2.03606, -1.515, 2.06575, 0.17273), (0.05503, 0.05029, 0.05121, 0.1206)),
}

# --- propofol, sites ----------------------------------------------------------------------------------

_BODY = "volume shallow_volume deep_volume clearance shallow_exchange deep_exchange"
_VARIED = "volume shallow_volume clearance shallow_exchange"

PROPOFOL = Fitted(
    "exact ML (5 nodes an effect)",
    _named(_BODY, "5.81106 25.9287 307.510 1.91072 1.33960 .862276") | {"error": math.sqrt(0.0540433)},
    _named(_VARIED, ".0940908 .0730353 .0193668 .121034"),
    -3053.684 + 1006 * NORMAL,  # 9 nodes; -3053.289 by 5, -3053.624 by 7; its rule: -3053.7 +- 0.3
    errors=_errors(_BODY, ".438 1.96 25.4 .0604 .1055 .0244", _VARIED, ".0333 .0288 .00615 .0419")
    | {"error": 0.00265 / (2 * math.sqrt(0.0540433))},
)  # fmt: skip
PROPOFOL_FOCEI = Fitted(
    "NONMEM 7.6.0 FOCEI", _named(_BODY, "5.76 26.1 309 1.92 1.34 .868") | {"error": math.sqrt(0.0540)},
    _named(_VARIED, ".0948 .0757 .0193 .127"), -3053.45 + 1006 * NORMAL, -3039.3 + 1006 * NORMAL,  # ferx's FOCEI there
)  # fmt: skip

_TWO = ("clearance", "volume")


def _sites(
    by: str, logs: tuple[float, float], sigma2: float, *blocks: tuple[float, float, float], **words: object
) -> Fitted:
    """Three levels of (11, 21, 22): between patients, sites and occasions."""
    levels = [{"clearance": a, "volume": c} for a, _, c in blocks]
    alike = [{_TWO: b / math.sqrt(a * c)} for a, b, c in blocks]
    return Fitted(
        by, {"clearance": math.exp(logs[0]), "volume": math.exp(logs[1]), "error": math.sqrt(sigma2)}, levels[0],
        correlations=alike[0], site_variances=levels[1], site_correlations=alike[1], occasion_variances=levels[2],
        occasion_correlations=alike[2], **words,  # type: ignore[arg-type]
    )  # fmt: skip


SITES = _sites(
    "NONMEM IMP", (1.22472, 4.00519), 0.00990531, (0.0288447, 0.00285546, 0.0289310), (0.0672407, 0.00339686, 0.192977),
    (0.0105737, -0.000411616, 0.0107653), reported=1767.416 + 6000 * NORMAL,
    errors={  # of typical values given the site effects, on logarithms times the value
        "clearance": 0.0128 * math.exp(1.22472), "volume": 0.0128 * math.exp(4.00519),
        "error": 0.000205 / (2 * math.sqrt(0.00990531)),
        "variance of clearance": 0.0030, "variance of volume": 0.0031,
        "site variance of clearance": 0.0195, "site variance of volume": 0.099,
        "occasion variance of clearance": 0.00085, "occasion variance of volume": 0.00086,
    },
)  # fmt: skip
SITES_FOCEI = _sites(
    "NONMEM FOCEI", (1.22717, 4.00611), 0.00990248, (0.0292594, 0.00300319, 0.0294871),
    (0.0653891, 0.00331833, 0.187169), (0.0105048, -0.000363467, 0.0107706), reported=1771.990 + 6000 * NORMAL,
)  # fmt: skip
SITES_BAYES = _sites(
    "NONMEM BAYES", (1.21845, 4.00421), 0.00997318, (0.0315691, 0.00352154, 0.0311124),
    (0.0811207, 0.00236917, 0.210038), (0.0107105, -0.000278579, 0.0112446),
)  # fmt: skip

# --- closed forms -------------------------------------------------------------------------------------

_RAT, _RAT_ERRORS = _squares("weight growth", "14.00541 .499519", "1.8752 .08429")
RATS = Fitted(
    "exact ML", _named("weight growth error", "242.65333 6.185714 6.014612"), _RAT, 1096.057323,
    errors=_named("weight growth error", "2.6038 .10382 .4483") | _RAT_ERRORS,
    correlations={("weight", "growth"): 0.671748},
)  # fmt: skip
RATS_CORRELATION_ERROR = 0.1320
INDEPENDENT_RATS = dataclasses.replace(RATS, by="exact ML, independent", minus_two_ll=1108.333745, correlations={})

_TREE, _TREE_ERRORS = _squares("asymptote", "31.64630", "10.261")
ORANGE = Fitted(
    "exact ML", _named("asymptote middle scale error", "192.05315 727.90633 348.07305 7.843012"), _TREE, 263.143770,
    errors=_named("asymptote middle scale error", "15.658 35.249 27.080 1.0125") | _TREE_ERRORS,
)  # fmt: skip
ORANGE_NLMER = Fitted(
    "lme4 nlmer", _named("asymptote middle scale error", "192.0528 727.9045 348.0721 7.843"), {"asymptote": 31.646**2},
    reported=263.1438,
)  # fmt: skip

EXPONENTIAL = Fitted(
    "exact ML", {"rate": math.exp(-2.572388)}, {"rate": 0.176130}, 589.38304,
    errors={"rate": 0.1247 * math.exp(-2.572388), "variance of rate": 0.272},
)  # fmt: skip
EXPONENTIAL_LAPLACE = Fitted("NONMEM LAPLACIAN", {"rate": math.exp(-2.56222)}, {"rate": 0.286}, 589.52849, 588.93112)
EXPONENTIAL_ALONE = Fitted("without frailty", {"rate": 82 / 1100.5853}, {"rate": 0.0}, 589.88802)

WEIBULL = Fitted(
    "exact ML", {"scale": math.exp(3.098701), "shape": math.exp(0.758547)}, {"shape": 0.02394}, 640.23309,
    errors={
        "scale": 0.0517 * math.exp(3.098701), "shape": 0.1047 * math.exp(0.758547), "variance of shape": 0.153,
    },
)  # fmt: skip
WEIBULL_LAPLACE = Fitted(
    "NONMEM LAPLACIAN", {"scale": math.exp(3.08636), "shape": math.exp(0.792892)}, {"shape": 0.174748}, 640.79587,
    639.98258,
)  # fmt: skip
WEIBULL_ALONE_MINUS_TWO_LL = 640.26071


@dataclasses.dataclass(frozen=True)
class Marginal:
    """A posterior's marginal by quadrature."""

    mean: float
    sd: float
    median: float | None = None


EIGHT_SCHOOLS = {"mu": Marginal(4.3968, 3.3177), "tau": Marginal(3.5986, 3.2199, 2.7484)}
EIGHT_SCHOOLS_EFFECTS = dict(
    zip("ABCDEFGH", (6.1505, 4.9396, 3.9059, 4.7960, 3.6144, 4.0511, 6.3172, 4.8840), strict=True)
)

# --- cells --------------------------------------------------------------------------------------------

_CELL = "decay loss translation start"


def _cells(by: str, logs: str, variances: str, offset: float, log_error: float) -> Fitted:
    typical = {name: math.exp(value) for name, value in _named(_CELL, logs).items()}
    return Fitted(by, typical | {"offset": math.exp(offset), "error": math.exp(log_error)}, _named(_CELL, variances))


CELLS_TRUE = _cells(
    "simulated from", "-.69364 -7.01357 6.21662 -.16357", ".94098 7.01402 .00396 .11641", 2.07944, -3.45388
)
CELLS = _cells(
    "the 50 cells' own", "-.45227 -6.68613 6.22149 -.22577", "1.02698 8.16949 .00372 .12135", 2.07944, -3.45388
)
CELLS_MONOLIX = _cells(
    "Monolix 2023R1, best of 100", "-.654664 -6.937839 6.228804 -.196589",
    "1.075923 13.010672 .003845 .083645", 2.080010, math.log(0.0315147),
)  # fmt: skip
CELLS_MONOLIX_SECONDS = {50: 77.0, 1000: 1821.0, 10_000: 25_381.0}

# --- real people, by Monolix --------------------------------------------------------------------------

_SUM = "additive proportional"
_THEO, _THEO_ERRORS = _squares(
    "absorption volume clearance", ".67105477569176 .126281479740844 .27062337275905",
    ".149194311210843 .0381806109019594 .0629108286316684",
)  # fmt: skip
THEOPHYLLINE = Fitted(
    "Monolix SAEM",
    _named(
        f"absorption volume clearance {_SUM}",
        "1.53264420692351 .455503642172079 .0401723641322292 .433279557549051 .0542595276206251",
    ),
    _THEO,
    reported=339.482,  # by linearisation
    errors=_named(
        f"absorption volume clearance {_SUM}",
        ".312810077690979 .0204786186672771 .00336416709053281 .123825299653539 .0237133255897216",
    ) | _THEO_ERRORS,
)  # fmt: skip

_LAGGED = "lag absorption volume clearance"
_W1, _W1_ERRORS = _squares(
    _LAGGED, ".605115662973185 1.08210228973354 .222522809015499 .286211422517007",
    ".430186959202578 .380135650264131 .0306317450105289 .0368739656541468",
)  # fmt: skip
OREILLY = Fitted(
    "Monolix SAEM, w1",
    _named(
        f"{_LAGGED} {_SUM}",
        ".764322535850091 1.45620698534217 7.96019644663432 .132481552644036 .247145876284213 .0503195895352995",
    ),
    _W1,
    reported=657.358312,  # by importance sampling, se 0.131
    errors=_named(
        f"{_LAGGED} {_SUM}",
        ".420496337644856 .570797523525994 .329706577234286 .00686176474906852 .0397217695323461 .00775699508916458",
    ) | _W1_ERRORS,
)  # fmt: skip
_W2, _W2_ERRORS = _squares(
    _LAGGED, ".541595485175291 .850145400049819 .136594432002439 .263663140318272",
    ".170849072479768 .237536679119416 .0214430916253883 .0340742392287991",
)  # fmt: skip
OREILLY_BY_WEIGHT = Fitted(
    "Monolix SAEM, w2",
    _named(
        f"{_LAGGED} weight_on_volume weight_on_clearance {_SUM}",
        ".780016055663023 1.35928759069304 8.0607521386391 .133622588749826 .898951301623242 .595223300469559 "
        ".238670616593435 .0526737305673756",
    ),
    _W2,
    reported=622.031033,  # by linearisation
    errors=_named(
        f"{_LAGGED} weight_on_volume weight_on_clearance {_SUM}",
        ".17837065691411 .410771702678662 .22040205773655 .00636805640551266 .140300259496287 .252983840620238 "
        ".0426132443515246 .00870422703536792",
    ) | _W2_ERRORS,
)  # fmt: skip
_W3, _W3_ERRORS = _squares(
    _LAGGED, ".61940678586983 .992834041241909 .166818280322244 .285345299602576",
    ".34196954759751 .26359089754432 .025613564608197 .0365249350085803",
)  # fmt: skip
OREILLY_BY_SEX = Fitted(
    "Monolix SAEM, w3",  # with effects of being female on log volume, -0.38228 (.08509), and clearance, -0.09384 (.141)
    _named(
        f"{_LAGGED} {_SUM}",
        ".771438750805779 1.42775873640368 8.46609504205801 .134437806143132 .24818990819019 .0508665778176092",
    ),
    _W3,
    reported=641.682690,  # by importance sampling, se 0.097
    errors=_named(
        f"{_LAGGED} {_SUM}",
        ".263679942425076 .441637834721607 .299165215219173 .00753472722343848 .0382275439573807 .00752550584274643",
    ) | _W3_ERRORS,
)  # fmt: skip
