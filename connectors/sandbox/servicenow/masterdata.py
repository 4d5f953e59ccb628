"""What an instance holds before the first ticket: companies, places, services, people, groups, dictionary."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.sandbox.scenario import ZONES
from connectors.sandbox.servicenow.access import platform_roles
from connectors.sandbox.servicenow.business import ALWAYS, BUSINESS, ZONE, schedule_of
from connectors.sandbox.servicenow.instance import Instance, choice_rows, sys_id_of
from connectors.sandbox.servicenow.moments import stored, stored_duration
from connectors.sandbox.users import Account
from connectors.sandbox.world import World

PLACES = {"DE": "Köln", "CH": "Zürich", "GB": "Hull", "US": "Omaha", "JP": "Yokohama"}
AGREEMENT_TYPES = {"sla": "SLA", "ola": "OLA", "uc": "Underpinning contract"}
SURVEY_TYPE, SATISFACTION = "Customer satisfaction", "Overall satisfaction"
RECOMMENDATION_TYPE, RECOMMENDATION = "Recommendation", "Likelihood to recommend"
APPROVERS = "CIM Approvers"
STRATEGIES = ("Raise customer satisfaction", "Keep what we promise", "Stable services")
PLUGIN_ID = "com.sn_cim"


class MasterData:
    """Puts master data into an instance and answers sys_ids by name; new names become new rows."""

    def __init__(self, instance: Instance, world: World) -> None:
        self.instance = instance
        self.begin = stored(world.start)
        self._known: dict[tuple[str, str], str] = {}
        self._agreements: dict[tuple[str, int], str] = {}
        customers = {name for name, _ in world.customers}
        for name, country in world.customers:
            self._put("core_company", name, {"customer": "true", "country": country})
            self.location(None, country)
        for name in world.suppliers:
            self._put("core_company", name, {"vendor": "true", "customer": str(name in customers).lower()})
        for name in world.services:
            self.service(name)
        self.schedule = self._put("cmn_schedule", "24 × 7", {})
        self.survey_type = self._put("asmt_metric_type", SURVEY_TYPE, {})
        self.metric = self._put(
            "asmt_metric",
            SATISFACTION,
            {
                "metric_type": self.survey_type,
                "min": "1",
                "max": "5",
                "question": "How satisfied are you with the service?",
            },
        )
        if world.recommendations:
            self.recommendation_type = self._put("asmt_metric_type", RECOMMENDATION_TYPE, {})
            asked = {"metric_type": self.recommendation_type, "min": "0", "max": "10"}
            asked["question"] = "How likely are you to recommend us to a colleague?"
            self.recommendation = self._put("asmt_metric", RECOMMENDATION, asked)

    def company(self, name: str | None) -> str:
        """The company of this name; "" for None."""
        return self._named("core_company", name)

    def supplier(self, name: str | None) -> str:
        """The vendor of this name; "" for None."""
        return self._named("core_company", name, {"vendor": "true"})

    def service(self, name: str | None) -> str:
        """The business service of this name; "" for None."""
        return self._named("cmdb_ci_service", name, {"sys_class_name": "cmdb_ci_service"})

    def group(self, name: str | None) -> str:
        """The assignment group of this name; "" for None."""
        return self._named("sys_user_group", name)

    def location(self, name: str | None, country: str | None) -> str:
        """The location of this name or, without one, the country's; "" where neither is known."""
        if name is None and country is None:
            return ""
        shown = name if name is not None else f"{PLACES.get(country or '', country)} ({country})"
        return self._named("cmn_location", shown, {"country": country or "", "time_zone": ZONES.get(country or "", "")})

    def person(self, username: str | None, company: str = "", location: str = "") -> str:
        """The user of this user name, made when new; "" for None."""
        if not username:
            return ""
        known = self.instance.users.get(username)
        if known is not None:
            return known
        words = [word.capitalize() for word in username.replace("_", ".").split(".")]
        return self._user(
            username,
            {
                "name": " ".join(words),
                "first_name": words[0],
                "last_name": " ".join(words[1:]),
                "email": f"{username.replace(' ', '.').lower()}@example.com",
                "company": company,
                "location": location,
            },
        )

    def agreement(self, name: str, agreement: str, target: str, goal_s: int, supplier: str | None) -> str:
        """The SLA definition of this name and goal."""
        known = self._agreements.get((name, goal_s))
        if known is not None:
            return known
        values = {
            "type": AGREEMENT_TYPES[agreement],
            "target": target,
            "duration": stored_duration(goal_s),
            "collection": "incident",
            "schedule": self._schedule_of(name),
            "vendor": self.supplier(supplier),
        }
        made = self._put("contract_sla", name, values, key=f"{name}/{goal_s}")
        self._agreements[name, goal_s] = made
        return made

    def business_hours(self) -> str:
        """The schedule of working days, 8 to 17 o'clock."""
        return self._named("cmn_schedule", "Business hours", {"time_zone": ZONE})

    def _schedule_of(self, name: str) -> str:
        kind = schedule_of(name, self.instance.config.sla_schedules)
        if kind == BUSINESS:
            return self.business_hours()
        return self.schedule if kind == ALWAYS else ""

    def accounts(self, accounts: Iterable[Account]) -> None:
        """The platform's accounts as users, their roles, and the group of approvers."""
        approvers = self.group(APPROVERS)
        for account in accounts:
            first, _, last = account.name.partition(" ")
            roles = platform_roles(account)
            values = {"name": account.name, "first_name": first, "last_name": last, "email": account.email}
            user = self._user(account.username, {**values, "time_zone": account.time_zone, "roles": ",".join(roles)})
            for role in roles:
                self._insert(
                    "sys_user_has_role",
                    f"{account.username}/{role}",
                    {"user": user, "role": self._named("sys_user_role", role)},
                )
            if "approver" in account.roles:
                self._insert("sys_user_grmember", f"{APPROVERS}/{account.username}", {"user": user, "group": approvers})

    def dictionary(self) -> None:
        """Tables, columns, choices, properties and plugins, as far as the instance has them now.

        A column stands under the table that defines it: ``priority`` of an incident under ``task``. An entry without
        a column is the table itself, and says whether it is audited, each for itself.
        """
        instance = self.instance
        for name in (
            "sys_db_object",
            "sys_dictionary",
            "sys_choice",
            "sys_properties",
            "v_plugin",
            "sn_cim_strategic_objective",
        ):
            for old in list(instance.tables[name]):
                instance.tables[name].remove(old[0])
        tables = instance.visible_tables()
        for table in tables:
            definition = instance.schema.tables[table]
            parent = sys_id_of("sys_db_object", definition.parent) if definition.parent else ""
            self._insert("sys_db_object", table, {"name": table, "label": definition.label, "super_class": parent})
            self._table(table, definition.label)
            for column, owner in instance.schema.columns[table].values():
                if owner == table:
                    self._column(table, column.name)
        for row in choice_rows(instance.schema, tables):
            if row["value"] in instance.config.retired_choices.get(f"{row['name']}.{row['element']}", ()):
                continue
            self._insert("sys_choice", f"{row['name']}/{row['element']}/{row['value']}", row)
        self._properties()
        if instance.config.cim:
            for strategy in STRATEGIES:
                self._insert("sn_cim_strategic_objective", strategy, {"name": strategy})

    def _table(self, name: str, label: str) -> None:
        entry = {"name": name, "element": "", "column_label": label, "internal_type": self._glide_type("collection")}
        entry |= {"audit": str(name not in self.instance.config.unaudited).lower()}
        self._insert("sys_dictionary", f"{name}/", entry)

    def _column(self, table: str, name: str) -> None:
        column = self.instance.schema.column(table, name)
        assert column is not None
        self._insert(
            "sys_dictionary",
            f"{table}/{name}",
            {
                "name": table,
                "element": name,
                "column_label": column.label,
                "internal_type": self._glide_type(column.type),
                "reference": column.reference,
                "max_length": str(column.max_length),
                "mandatory": str(column.mandatory).lower(),
                "read_only": str(column.read_only).lower(),
                "choice": "3" if column.choices else "0",
                "default_value": column.default,
            },
        )

    def _glide_type(self, name: str) -> str:
        """The reference to a field class: on an instance its value is the class's *name*, not a sys_id."""
        table = self.instance.tables["sys_glide_object"]
        if name not in table.rows:
            self.instance.insert(
                "sys_glide_object", {"name": name, "label": name.replace("_", " ").title()}, sys_id=name, at=self.begin
            )
        return name

    def _properties(self) -> None:
        config = self.instance.config
        self._insert(
            "sys_properties",
            "glide.invalid_query.returns_no_rows",
            {
                "name": "glide.invalid_query.returns_no_rows",
                "value": str(config.invalid_query_returns_no_rows).lower(),
                "type": "boolean",
            },
        )
        self._insert(
            "sys_properties", "glide.buildname", {"name": "glide.buildname", "value": "Australia", "type": "string"}
        )
        if config.cim:
            need = {"name": "sn_cim.need_approval", "value": str(config.need_approval).lower(), "type": "boolean"}
            self._insert("sys_properties", "sn_cim.need_approval", need)
            plugin = {
                "id": PLUGIN_ID,
                "name": "Continual Improvement Management",
                "active": "active",
                "version": "1.0.0",
            }
            self._insert("v_plugin", PLUGIN_ID, plugin)

    def _user(self, username: str, values: dict[str, str]) -> str:
        sys_id = self._insert("sys_user", username, {"user_name": username, **values})
        self.instance.users[username] = sys_id
        return sys_id

    def _named(self, table: str, name: str | None, values: dict[str, str] | None = None) -> str:
        if not name:
            return ""
        known = self._known.get((table, name))
        return known if known is not None else self._put(table, name, values or {})

    def _put(self, table: str, name: str, values: dict[str, str], *, key: str = "") -> str:
        sys_id = self._insert(table, key or name, {"name": name, **values})
        self._known[table, key or name] = sys_id
        return sys_id

    def _insert(self, table: str, key: str, values: dict[str, str]) -> str:
        sys_id = sys_id_of(table, key)
        self.instance.insert(table, values, sys_id=sys_id, at=self.begin)
        return sys_id
