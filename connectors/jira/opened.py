"""One Jira as a connection opened it: what all parts of the connector ask, and what was learnt on the way."""

from __future__ import annotations

from functools import cached_property

from connectors.config import ConnectionConfig
from connectors.http import Reader
from connectors.jira.caller import Caller
from connectors.jira.client import BulkSession, open_client, tell_flavour
from connectors.jira.plan import Plan, make_plan, mapping_of
from connectors.jira.project import Project, ProjectInfo, find_project, read_project
from connectors.jira.pull import Puller
from connectors.jira.site import Site, learn


class Jira:
    """The way to one Jira. Nothing is sent before the first question that needs an answer; each is asked once."""

    def __init__(self, config: ConnectionConfig) -> None:
        self.name = config.name
        self.config = config
        self.mapping = mapping_of(config)
        self.client = open_client(config)
        self.caller = Caller(config)
        self.reader = Reader(BulkSession(self.client), config, always=self.caller)

    @cached_property
    def site(self) -> Site:
        """What this Jira is and has."""
        site = learn(self.reader, self.config)
        tell_flavour(self.client, site.info.deployment_type, site.info.version_numbers)
        return site

    @cached_property
    def plan(self) -> Plan:
        """Where each canonical field comes from here."""
        return make_plan(self.config, self.mapping, self.site)

    @cached_property
    def puller(self) -> Puller:
        """Reads and counts records."""
        return Puller(self.reader, self.config, self.site, self.plan, self.caller)

    @cached_property
    def project(self) -> Project:
        """The improvement project and what may be set in it."""
        return find_project(self.reader, self.config, self.site, self._project_info)

    @cached_property
    def is_service_desk(self) -> bool:
        """Whether the improvement project is one of Jira Service Management."""
        return self._project_info.is_service_desk

    @cached_property
    def _project_info(self) -> ProjectInfo:
        return read_project(self.reader, self.config)
