"""The ServiceNow flavour of the sandbox: builds an instance from a world and answers its API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from connectors.sandbox.plugin import Flavour, SandboxConfig, is_like
from connectors.sandbox.servicenow import cim, events
from connectors.sandbox.servicenow.attachment_api import AttachmentApi
from connectors.sandbox.servicenow.batch_api import BatchApi
from connectors.sandbox.servicenow.errors import ApiError
from connectors.sandbox.servicenow.instance import Instance
from connectors.sandbox.servicenow.load import LoadedIncidents
from connectors.sandbox.servicenow.masterdata import MasterData
from connectors.sandbox.servicenow.oauth import TokenOffice
from connectors.sandbox.servicenow.record_room import RecordRoom
from connectors.sandbox.servicenow.render import Renderer
from connectors.sandbox.servicenow.stats_api import StatsApi
from connectors.sandbox.servicenow.table_api import TableApi
from connectors.sandbox.users import Accounts, accounts_of
from connectors.sandbox.world import GRIEVANCE_KINDS, World

CHANGEABLE = frozenset(
    {
        "cim",
        "need_approval",
        "custom_table",
        "invalid_query_returns_no_rows",
        "hidden_rows",
        "denied",
        "rules",
        "read_only_fields",
        "retired_choices",
        "renamed_choices",
        "metric_fields",
        "stale_clocks",
        "max_rows",
        "unaudited",
    }
)
MESSAGES = {
    404: "Requested URI does not represent any resource",
    429: "Rate limit exceeded",
    503: "Service Unavailable",
}


def build(world: World, config: SandboxConfig, flavour: Flavour) -> ServiceNowApp:
    """The application of one ServiceNow port (``flavour`` is always ``servicenow``)."""
    return ServiceNowApp(world, config)


class ServiceNowApp:
    """A :class:`connectors.sandbox.plugin.PlatformApp`."""

    def __init__(self, world: World, config: SandboxConfig) -> None:
        begin = datetime.fromtimestamp(world.start, UTC)
        has_grievances = any(contact.kind in GRIEVANCE_KINDS for contact in world.contacts)
        self.instance = Instance(config, begin, has_customer_service=has_grievances)
        self.master = MasterData(self.instance, world)
        self.offices = TokenOffice()
        accounts = accounts_of(world)
        self.accounts = Accounts(accounts, self.offices.user_of)
        self.offices.accounts = self.accounts
        self.master.accounts(accounts)
        self.master.dictionary()
        self.renderer = Renderer(self.instance, world, self.master) if not config.load_records else None
        self.loaded = LoadedIncidents(config.load_records) if config.load_records else None
        self.tables = TableApi(self.instance, self.accounts, self.loaded)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """All routes of the API."""
        return [
            *self.tables.routes(),
            *StatsApi(self.tables).routes(),
            *AttachmentApi(self.tables).routes(),
            *BatchApi(self.tables).routes(),
            *RecordRoom(self.instance).routes(),
            web.post("/oauth_token.do", self.offices.issue),
        ]

    def advance(self, now: datetime) -> None:
        """Show what the world has done until ``now``."""
        self.instance.now = now
        if self.renderer is not None:
            self.renderer.advance(int(now.timestamp()))
        cim.lapse_approvals(self.instance)

    def stats(self) -> Mapping[str, Any]:
        """Records per table."""
        records = {name: len(table) for name, table in self.instance.tables.items() if len(table)}
        if self.loaded is not None:
            records["incident"] = self.loaded.count
        return {"platform": "servicenow", "records": records, "tokens_issued": self.offices.issued_count}

    def error(self, status: int, message: str) -> web.Response:
        """An error body as the instance words it."""
        return ApiError(status, message, MESSAGES.get(status)).response()

    def disturb(self, table: str, records: int) -> None:
        """Somebody changes the records that come first in the order of their update time."""
        events.touch_first(self.instance, table, records)

    def happen(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """See :mod:`connectors.sandbox.servicenow.events`."""
        return events.happen(self.instance, event)

    def configure(self, options: Mapping[str, Any]) -> None:
        """Change options while serving; ``expire_tokens`` and ``expire_refresh_tokens`` end those of OAuth."""
        options = dict(options)
        if options.pop("expire_tokens", False):
            self.offices.expire_all()
        if options.pop("expire_refresh_tokens", False):
            self.offices.expire_refresh()
        unknown = sorted(set(options) - CHANGEABLE)
        if unknown:
            raise ValueError(
                f"Not an option that can change: {', '.join(unknown)}. There are {', '.join(sorted(CHANGEABLE))}."
            )
        config = replace(self.instance.config, **options)
        wrong = [name for name, value in options.items() if not is_like(value, getattr(SandboxConfig(), name))]
        if wrong:
            raise ValueError(f"Of another type than its default: {', '.join(wrong)}.")
        self.instance.relabel(config.renamed_choices)
        self.instance.config = config
        self.master.dictionary()
