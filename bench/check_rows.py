"""The rows of the check's benchmark: which worlds, and how often *improved* may or has to be said in them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.worlds import Metric, Variant

PLAIN = Variant()
HISTORY, LONG_HISTORY = 52, 104


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of world. ``at_most`` and ``at_least`` bound the share of *improved*; without either: a known limit."""

    title: str
    metric: Metric
    variant: Variant = PLAIN
    history: int = HISTORY
    has_effect: bool = False
    at_most: float | None = None
    at_least: float | None = None

    @property
    def bound(self) -> str:
        """The bound as people read it."""
        if self.at_most is not None:
            return f"≤ {self.at_most:.1%}"
        return f"≥ {self.at_least:.0%}" if self.at_least is not None else "known limit"

    def is_met(self, share: float) -> bool:
        """Whether the point estimate meets the bound."""
        if self.at_most is not None:
            return share <= self.at_most
        return self.at_least is None or share >= self.at_least


#: What can make a number look better without any effect. Each must not be called an improvement.
WITHOUT_EFFECT: dict[str, Variant] = {
    "autocorrelation .7": Variant(rho=0.7),
    "season of amplitude .6": Variant(season=0.6),
    "everything drifts down": Variant(drift=-0.01),
    "3–8 tickets a week": Variant(volume=(3.0, 8.0)),
    "a shift that heals by itself": Variant(healing=(0.8, 8)),
    "rule against the scope's own 26 weeks": Variant(own_weeks=26),
    "3 of 9 controls get worse": Variant(bad_controls=3),
    "5 of 9 controls get worse": Variant(bad_controls=5),
    "the only control gets worse": Variant(controls=1, bad_controls=1),
    "a shock that spares the scope": Variant(bad_controls=9),
    "a shock, loads .5–1.5": Variant(shock_on_all=True, load=(0.5, 1.5)),
}
IMPROVING = Variant(pre_trend=-0.01)
EASIER_TICKETS = Variant(mix=(0.4, 0.2))
TITLES: dict[Metric, str] = {
    "breach": "breach, odds ratio .50",
    "count": "count, rate ratio .70",
    "time": "time, ratio .70",
    "csat": "CSAT, +.5",
}
POWER: dict[Metric, tuple[float, float]] = {
    "breach": (0.65, 0.70),
    "count": (0.50, 0.52),
    "time": (0.55, 0.58),
    "csat": (0.57, 0.60),
}

ROWS: tuple[Row, ...] = (
    *(Row(f"no effect: {metric}", metric, at_most=0.05) for metric in POWER),
    *(
        Row(f"no effect: {metric}, {what}", metric, variant, at_most=0.05)
        for metric in POWER
        for what, variant in WITHOUT_EFFECT.items()
    ),
    Row("no effect: breach, the tickets become easier", "breach", EASIER_TICKETS, at_most=0.05),
    Row("no effect: breach, improving for a year", "breach", IMPROVING, at_most=0.065),
    Row(
        "no effect: breach, improving for a year, 104 weeks of history", "breach", IMPROVING, LONG_HISTORY, at_most=0.05
    ),
    *(
        Row(f"true effect: {TITLES[metric]}{note}", metric, PLAIN, history, has_effect=True, at_least=limits[place])
        for place, history, note in ((0, HISTORY, ""), (1, LONG_HISTORY, ", 104 weeks of history"))
        for metric, limits in POWER.items()
    ),
    # A trend hides in 52 weeks of noise: more often where the weeks vary more, or where it began within them.
    *(Row(f"no effect: {metric}, improving for a year", metric, IMPROVING) for metric in POWER if metric != "breach"),
    *(
        Row(f"no effect: {metric}, improving for a year, 104 weeks of history", metric, IMPROVING, LONG_HISTORY)
        for metric in POWER
        if metric != "breach"
    ),
    Row("no effect: breach, improving for the last half year", "breach", Variant(pre_trend=-0.01, trend_weeks=26)),
    Row(
        "no effect: breach, improving for the last 52 of 104 weeks",
        "breach",
        Variant(pre_trend=-0.01, trend_weeks=52),
        LONG_HISTORY,
    ),
    Row("true effect: breach, while all others get worse", "breach", Variant(bad_controls=9), has_effect=True),
    Row("true effect: breach, ramping up over 8 weeks", "breach", Variant(ramp_weeks=8), has_effect=True),
    Row("true effect: breach, one control", "breach", Variant(controls=1), has_effect=True),
    Row("true effect: breach, two controls", "breach", Variant(controls=2), has_effect=True),
)

#: The columns of the table of competitors; the check's own figures in them are those of ROWS.
COLUMNS: tuple[Row, ...] = (
    Row("no effect: breach", "breach"),
    Row("no effect: count", "count"),
    Row(f"true effect: {TITLES['breach']}", "breach", has_effect=True),
    Row(f"true effect: {TITLES['count']}", "count", has_effect=True),
    Row("no effect: breach, improving for a year", "breach", IMPROVING),
)
