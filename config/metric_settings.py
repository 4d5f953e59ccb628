"""What an installation may choose about metrics: the table ``[metrics]`` of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from improvement.errors import InputError

if TYPE_CHECKING:
    from improvement.metrics.options import MetricOptions

OVERRUN = "overrun"
CanBeBusiness = Literal["time_to_respond", "time_to_resolve", "overrun"]


class MetricSettings(BaseModel):
    """``repeat_days``: how near a repeated incident is; ``mood_weights``: other weights of parts of the mood;
    ``business``: what is counted in business time of the country's calendar.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    repeat_days: int = Field(default=7, ge=1, le=365)
    mood_weights: dict[str, float] = {}
    business: tuple[CanBeBusiness, ...] = ()
    _calendars_sha256: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _parts_exist(self) -> Self:
        if self.mood_weights:
            try:
                _ = self.options
            except InputError as error:
                raise ValueError(str(error)) from None
        return self

    @property
    def options(self) -> MetricOptions:
        """The choices as metrics take them."""
        from improvement.metrics.options import MetricOptions  # loads Arrow: not for every command

        metrics = tuple(sorted({*self.business} - {OVERRUN}))
        options = MetricOptions(repeat_days=self.repeat_days, business=metrics, calendars=self._calendars_sha256)
        return options.with_mood_weights(self.mood_weights)

    def by(self, calendars_sha256: str) -> None:
        """Count business time by these calendars."""
        self._calendars_sha256 = calendars_sha256 if self.business else ""

    @property
    def has_business_overrun(self) -> bool:
        """Whether overruns of clocks without a time of the platform's are counted by the calendar."""
        return OVERRUN in self.business
