"""What an installation may choose about metrics: the table ``[metrics]`` of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from improvement.errors import InputError

if TYPE_CHECKING:
    from improvement.metrics.options import MetricOptions


class MetricSettings(BaseModel):
    """``repeat_days``: how near a repeated incident is; ``mood_weights``: other weights of parts of the mood."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repeat_days: int = Field(default=7, ge=1, le=365)
    mood_weights: dict[str, float] = {}

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

        return MetricOptions(repeat_days=self.repeat_days).with_mood_weights(self.mood_weights)
