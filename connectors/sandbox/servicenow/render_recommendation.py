"""Recommendation surveys of the world as assessment instances; they belong to no ticket, but to a customer's person."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.sandbox.servicenow.instance import Instance, sys_id_of
from connectors.sandbox.servicenow.masterdata import MasterData
from connectors.sandbox.servicenow.moments import stored
from connectors.sandbox.world import WorldRecommendation

INSTANCES, RESULTS = "asmt_assessment_instance", "asmt_metric_result"


class Recommendations:
    """Shows these surveys, and their answers, instant by instant."""

    def __init__(self, instance: Instance, master: MasterData, surveys: Iterable[WorldRecommendation]) -> None:
        self._instance, self._master = instance, master
        steps = [(one.sent, 0, one.uid, one) for one in surveys]
        steps += [(one.answered, 1, one.uid, one) for _, _, _, one in steps if one.answered is not None]
        self._steps = sorted(steps, key=lambda step: step[:3], reverse=True)

    def advance(self, now: int) -> None:
        """Show everything until ``now`` (epoch seconds)."""
        while self._steps and self._steps[-1][0] <= now:
            at, is_answer, _, survey = self._steps.pop()
            if is_answer:
                self._answered(survey, stored(at))
            else:
                self._sent(survey, stored(at))

    def _sent(self, survey: WorldRecommendation, at: str) -> None:
        values = {
            "metric_type": self._master.recommendation_type,
            "user": self._person(survey),
            "state": "ready",
            "sys_created_on": at,
        }
        self._instance.insert(INSTANCES, values, sys_id=self._id(survey), at=at)

    def _answered(self, survey: WorldRecommendation, at: str) -> None:
        table = self._instance.tables[INSTANCES]
        row = table.rows[self._id(survey)]
        self._instance.update(table, row, {"state": "complete", "taken_on": at}, by="system", at=at)
        values = {
            "instance": self._id(survey),
            "metric": self._master.recommendation,
            "user": self._person(survey),
            "actual_value": str(survey.score),
        }
        self._instance.insert(RESULTS, values, sys_id=sys_id_of(RESULTS, f"recommendation/{survey.uid}"), at=at)

    def _person(self, survey: WorldRecommendation) -> str:
        company = self._master.company(survey.customer)
        name = f"{survey.customer.lower().replace(' ', '-')}.sponsor"
        return self._master.person(name, company, self._master.location(None, survey.country))

    def _id(self, survey: WorldRecommendation) -> str:
        return sys_id_of(INSTANCES, f"recommendation/{survey.uid}")
