"""One quasi-likelihood GLM for all metrics, and a standard error that knows about autocorrelation.

statsmodels is imported on first use only: it costs two seconds and 200 MB, which no page should pay.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from improvement.check.model import Family, Floats, Series
from improvement.errors import RegelkreisError

MAX_RHO = 0.8
RUNAWAY = 50.0  # e^50 times is no estimate
NOTHING = 1e-12  # a residual variance of rounding errors


class FitFailed(RegelkreisError):
    """The model could not be fitted (separation, no variation, too few weeks); says why in English and German."""

    def __init__(self, what: str, what_de: str) -> None:
        super().__init__(what)
        self.what_de = what_de

    @property
    def said(self) -> tuple[str, str]:
        """Why, in English and German."""
        return self.what, self.what_de


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model: coefficients, covariance (with φ), Pearson residuals by week."""

    params: Floats
    cov: Floats
    week: np.ndarray
    residuals: Floats
    fitted: Floats
    phi: float
    df: int

    def se(self, index: int) -> float:
        """The standard error of a coefficient before the inflation for autocorrelation."""
        return float(np.sqrt(self.cov[index, index]))

    @property
    def rho(self) -> float:
        """Lag-1 autocorrelation of neighbouring weeks' residuals, bias-corrected and clipped to [0, 0.8]."""
        neighbours = np.diff(self.week) == 1
        r = self.residuals
        total = float((r**2).sum())
        if total <= NOTHING * len(r) or not neighbours.any():
            return 0.0  # a perfect fit leaves rounding errors, which follow each other closely
        raw = float((r[1:] * r[:-1])[neighbours].sum()) / total
        return float(np.clip(raw + (1 + 3 * raw) / len(r), 0.0, MAX_RHO))


def spread(rho: float, weeks: int) -> float:
    """V(k) = 1 + 2·Σ(1 − j/k)·ρʲ: by how much autocorrelation inflates the variance of a mean of k weeks."""
    if weeks <= 0 or rho <= 0:
        return 1.0
    lags = np.arange(1, weeks)
    return float(1 + 2 * ((1 - lags / weeks) * rho**lags).sum())


def inflation(rho: float, before: int, after: int) -> float:
    """The factor on the standard error of a difference between windows of so many weeks."""
    raw = 1 / before + 1 / after
    return float(np.sqrt((spread(rho, before) / before + spread(rho, after) / after) / raw))


def fit(family: Family, cells: Series, design: Floats, offset: Floats) -> Fit:
    """Fit g(E[rate]) = design·β + offset; Binomial, Poisson, Gamma or Gaussian by family.

    The scale is χ²/df of the Pearson residuals, at least 1 for Binomial and Poisson. Binomial cells are fitted as
    shares with ``var_weights``: the two-column form ignores the trial counts in its scale (statsmodels 0.15).
    """
    import statsmodels.api as sm

    y, n = cells.numerator, cells.denominator
    links = sm.families.links
    if family == "count":
        model = sm.GLM(y, design, family=sm.families.Poisson(), offset=offset + np.log(n))
        weights = np.ones(len(y))
    else:
        laws = {
            "proportion": lambda: sm.families.Binomial(),
            "time": lambda: sm.families.Gamma(link=links.Log()),
            "score": lambda: sm.families.Gaussian(),
        }
        response = y / n
        if family == "time":
            response = np.maximum(response, 1e-6)
        model = sm.GLM(response, design, family=laws[family](), offset=offset, var_weights=n)
        weights = n
    df = len(y) - design.shape[1]
    if df < 1:
        raise FitFailed("too few weeks", "zu wenige Wochen")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model.fit(maxiter=100, tol=1e-10, start_params=_start(family, cells, design, offset))
    except (ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
        raise FitFailed("the calculation broke off", "die Rechnung brach ab") from error
    params = np.asarray(found.params)
    if not np.isfinite(params).all() or (family != "score" and np.abs(params).max() > RUNAWAY):
        raise FitFailed("there is no finite estimate", "es gibt keine endliche Schätzung")
    mu = np.asarray(found.mu)
    variance = model.family.variance(mu)
    residuals = np.sqrt(weights) * (np.asarray(model.endog) - mu) / np.sqrt(np.maximum(variance, 1e-300))
    phi = float((residuals**2).sum() / df)
    if family in ("proportion", "count"):
        phi = max(1.0, phi)
    if phi <= NOTHING * float((mu**2).mean() if family == "score" else 1.0) or not np.isfinite(phi):
        raise FitFailed("the weeks do not vary", "die Wochen unterscheiden sich nicht")
    cov = np.asarray(found.normalized_cov_params) * phi
    return Fit(params, cov, cells.week, residuals, mu, phi, df)


def _start(family: Family, cells: Series, design: Floats, offset: Floats) -> Floats:
    """Least squares on the link scale: near enough to save the fit two of its five rounds."""
    y, n = cells.numerator, cells.denominator
    if family in ("proportion", "count"):
        rate = (y + 0.5) / (n + 1) if family == "proportion" else (y + 0.5) / n
    else:
        rate = np.maximum(y / n, 1e-6) if family == "time" else y / n
    weight = np.sqrt(n)
    return np.asarray(np.linalg.lstsq(design * weight[:, None], (link(family, rate) - offset) * weight, rcond=None)[0])


def link(family: Family, rate: Floats) -> Floats:
    """The link function of a family."""
    if family == "proportion":
        return np.asarray(np.log(rate / (1 - rate)))
    return np.asarray(rate if family == "score" else np.log(rate))


def inverse(family: Family, value: Floats | float) -> Floats:
    """Back from the link scale to the rate."""
    if family == "proportion":
        return np.asarray(1 / (1 + np.exp(-np.asarray(value))))
    return np.asarray(value if family == "score" else np.exp(value))


def control_offset(family: Family, controls: list[Series], weeks: np.ndarray) -> Floats:
    """The link-scale weekly rate of the pooled controls (add one half), minus its mean; 0 where they have no volume."""
    if not controls:
        return np.zeros(len(weeks))
    numerator, denominator = np.zeros(len(weeks)), np.zeros(len(weeks))
    for control in controls:
        place = np.searchsorted(weeks, control.week)
        place_ok = place < len(weeks)
        hit = np.zeros(len(control.week), dtype=bool)
        hit[place_ok] = weeks[place[place_ok]] == control.week[place_ok]
        np.add.at(numerator, place[hit], control.numerator[hit])
        np.add.at(denominator, place[hit], control.denominator[hit])
    known = denominator > 0
    if not known.any():
        return np.zeros(len(weeks))
    rate = np.full(len(weeks), np.nan)
    if family == "proportion":
        rate[known] = (numerator[known] + 0.5) / (denominator[known] + 1)
    elif family == "count":
        rate[known] = (numerator[known] + 0.5) / denominator[known]
    else:
        rate[known] = np.maximum(numerator[known] / denominator[known], 1e-6 if family == "time" else -np.inf)
    offset = np.zeros(len(weeks))
    offset[known] = link(family, rate[known])
    offset[known] -= offset[known].mean()
    return offset


def with_half_event(family: Family, cells: Series, spans: list[np.ndarray]) -> tuple[Series, bool]:
    """Spread half an event (or half a non-event) over a window that has none, so that the fit does not separate."""
    if family not in ("proportion", "count"):
        return cells, False
    numerator = cells.numerator.copy()
    is_changed = False
    for span in spans:
        if not span.any():
            continue
        events, trials = numerator[span].sum(), cells.denominator[span].sum()
        share = cells.denominator[span] / trials
        if events <= 0:
            numerator[span] += 0.5 * share
            is_changed = True
        elif family == "proportion" and events >= trials:
            numerator[span] -= 0.5 * share
            is_changed = True
    return Series(cells.week, numerator, cells.denominator), is_changed
