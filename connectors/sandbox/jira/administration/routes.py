"""The addresses of administration and of what hangs on it; :mod:`routes` has those of daily work."""

from __future__ import annotations

from functools import partial

from connectors.sandbox.jira import archive_calls, attachment_calls, bulk_calls, picker_calls
from connectors.sandbox.jira.administration import (
    avatar_calls,
    dashboard_calls,
    field_calls,
    filter_calls,
    group_calls,
    project_calls,
    role_calls,
    scheme_calls,
    screen_calls,
    setting_calls,
    type_calls,
    user_calls,
    workflow_calls,
)
from connectors.sandbox.jira.calls import Handler

_API = r"/rest/api/(?P<version>2|3|latest)"
_KEY = r"(?P<key>[A-Za-z0-9_-]+)"
_ID = r"(?P<id>[0-9]+)"

_PEOPLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST PUT DELETE", f"{_API}/user/?", user_calls.user),
    ("GET", f"{_API}/user/bulk", user_calls.several),
    ("GET", f"{_API}/user/properties", user_calls.properties),
    ("GET PUT DELETE", f"{_API}/user/properties/(?P<name>[^/]+)", user_calls.property_of),
    ("GET", f"{_API}/user/duplicated/(?P<form>count|list)", user_calls.duplicated),
    ("GET", f"{_API}/user/groups", group_calls.of_user),
    ("GET", f"{_API}/groups/picker", group_calls.picker),
    ("GET POST DELETE", f"{_API}/group", group_calls.group),
    ("GET", f"{_API}/group/member", group_calls.members),
    ("GET", f"{_API}/group/bulk", group_calls.bulk),
    ("POST DELETE", f"{_API}/group/user", group_calls.membership),
)

_PROJECTS: tuple[tuple[str, str, Handler], ...] = (
    ("PUT POST", f"{_API}/project/{_KEY}/archive", project_calls.archive),
    ("PUT POST", f"{_API}/project/{_KEY}/restore", project_calls.restore),
    ("GET", f"{_API}/project/{_KEY}/properties", project_calls.properties),
    ("GET PUT DELETE", f"{_API}/project/{_KEY}/properties/(?P<name>[^/]+)", project_calls.property_of),
    ("GET", f"{_API}/project/type(?:/accessible)?", project_calls.types),
    ("GET", f"{_API}/project/type/(?P<name>[a-z_]+)(?:/accessible)?", project_calls.type_of),
    ("GET POST", f"{_API}/projectCategory", project_calls.categories),
    ("GET PUT DELETE", f"{_API}/projectCategory/{_ID}", project_calls.category),
    ("GET", f"{_API}/project/{_KEY}/role", role_calls.of_project),
    ("GET", f"{_API}/project/{_KEY}/roledetails", role_calls.details),
    ("GET POST PUT DELETE", f"{_API}/project/{_KEY}/role/{_ID}", role_calls.in_project),
    ("GET POST", f"{_API}/role", role_calls.roles),
    ("GET PUT POST DELETE", f"{_API}/role/{_ID}", role_calls.role),
    ("GET POST DELETE", f"{_API}/role/{_ID}/actors", role_calls.default_actors),
)

_SCHEMES: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST", f"{_API}/permissionscheme", scheme_calls.permission_schemes),
    ("GET PUT DELETE", f"{_API}/permissionscheme/{_ID}", scheme_calls.permission_scheme),
    ("GET POST", f"{_API}/permissionscheme/{_ID}/permission", scheme_calls.grants),
    ("GET DELETE", f"{_API}/permissionscheme/{_ID}/permission/(?P<number>[0-9]+)", scheme_calls.grant),
    ("GET PUT", f"{_API}/project/{_KEY}/permissionscheme", scheme_calls.permission_scheme_of),
    ("GET", f"{_API}/workflow", workflow_calls.workflows),
    ("GET", f"{_API}/workflow/search", workflow_calls.search),
    ("GET", f"{_API}/workflowscheme", workflow_calls.schemes),
    ("GET", f"{_API}/workflowscheme/project", workflow_calls.schemes_of_projects),
    ("GET", f"{_API}/workflowscheme/{_ID}", workflow_calls.scheme),
    ("GET", f"{_API}/project/{_KEY}/workflowscheme", workflow_calls.scheme_of),
    ("GET POST", f"{_API}/priorityschemes", scheme_calls.priority_schemes),
    ("GET PUT DELETE", f"{_API}/priorityschemes/{_ID}", scheme_calls.priority_scheme),
    ("GET PUT", f"{_API}/project/{_KEY}/priorityscheme", scheme_calls.priority_scheme_of),
    ("GET", f"{_API}/notificationscheme", scheme_calls.notification_schemes),
    ("GET", f"{_API}/issuesecurityschemes", scheme_calls.security_schemes),
    *(
        ("GET", f"{_API}/{path}", partial(answer, kind=kind))
        for path, answer, kind in (
            (f"notificationscheme/{_ID}", scheme_calls.plain_scheme, "notificationscheme"),
            (f"issuesecurityschemes/{_ID}", scheme_calls.plain_scheme, "issuesecurityscheme"),
            (f"project/{_KEY}/notificationscheme", scheme_calls.plain_scheme_of, "notificationscheme"),
            (f"project/{_KEY}/issuesecuritylevelscheme", scheme_calls.plain_scheme_of, "issuesecurityscheme"),
        )
    ),
)

_TYPES: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST", f"{_API}/issuetype", type_calls.issue_types),
    ("GET PUT DELETE", f"{_API}/issuetype/{_ID}", type_calls.issue_type),
    ("GET", f"{_API}/issuetype/{_ID}/alternatives", type_calls.alternatives),
    ("GET POST", f"{_API}/issuetypescheme/?", type_calls.schemes),
    ("GET PUT", f"{_API}/issuetypescheme/project", type_calls.of_projects),
    ("GET PUT DELETE", f"{_API}/issuetypescheme/{_ID}", type_calls.scheme),
    ("GET POST PUT DELETE", f"{_API}/issuetypescheme/{_ID}/associations", type_calls.associations),
    ("PUT", f"{_API}/issuetypescheme/{_ID}/issuetype", type_calls.types_of_scheme),
    ("DELETE", f"{_API}/issuetypescheme/{_ID}/issuetype/(?P<type_id>[0-9]+)", type_calls.type_of_scheme),
    ("GET POST", f"{_API}/issueLinkType", type_calls.link_types),
    ("GET PUT DELETE", f"{_API}/issueLinkType/{_ID}", type_calls.link_type),
)

_FILTERS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", f"{_API}/filter", filter_calls.add),
    ("GET PUT DELETE", f"{_API}/filter/{_ID}", filter_calls.one),
    ("GET", f"{_API}/filter/favourite", filter_calls.favourites),
    ("GET", f"{_API}/filter/search", filter_calls.search),
    ("GET", f"{_API}/filter/my", filter_calls.mine),
    ("GET PUT", f"{_API}/filter/defaultShareScope", filter_calls.share_scope),
    ("PUT DELETE", f"{_API}/filter/{_ID}/favourite", filter_calls.favoured),
    ("PUT", f"{_API}/filter/{_ID}/owner", filter_calls.owner),
    ("GET PUT DELETE", f"{_API}/filter/{_ID}/columns", filter_calls.columns),
    ("GET POST", f"{_API}/filter/{_ID}/permission", filter_calls.shares),
    ("GET DELETE", f"{_API}/filter/{_ID}/permission/(?P<number>[0-9]+)", filter_calls.share),
)

_ISSUES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", f"{_API}/changelog/bulkfetch", bulk_calls.changelogs),
    ("POST", f"{_API}/comment/list", bulk_calls.comments),
    ("POST", f"{_API}/issue/{_KEY}/notify", picker_calls.notify),
    ("GET", f"{_API}/issue/{_KEY}/subtask", picker_calls.subtasks),
    ("GET", f"{_API}/user/picker", picker_calls.users),
    ("GET", f"{_API}/groupuserpicker", picker_calls.users_and_groups),
    ("GET PUT DELETE", f"{_API}/mypreferences", picker_calls.preference),
    ("PUT", f"{_API}/issue/{_KEY}/archive", archive_calls.archive),
    ("PUT", f"{_API}/issue/{_KEY}/restore", archive_calls.restore),
    ("PUT", f"{_API}/issue/{_KEY}/comment/{_ID}/pin", archive_calls.pin),
    ("GET", f"{_API}/issue/{_KEY}/pinned-comments", archive_calls.pinned),
    ("GET", f"{_API}/attachment/{_ID}/expand/(?P<form>human|raw)", attachment_calls.expanded),
)

#: Addresses that could be taken for a single issue's.
BEFORE_ISSUES: tuple[tuple[str, str, Handler], ...] = (
    *(("PUT", f"{_API}/issue/{verb}", partial(archive_calls.several, verb=verb)) for verb in ("archive", "unarchive")),
    ("GET", f"{_API}/issue/picker", picker_calls.issues),
)

_NUMBER = "(?P<number>[0-9]+)"
_SETTINGS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", f"{_API}/application-properties(?:/advanced-settings)?", setting_calls.properties),
    ("PUT", f"{_API}/application-properties/(?P<name>[^/]+)", setting_calls.property_of),
    ("GET PUT", f"{_API}/configuration/timetracking", setting_calls.tracking_provider),
    ("GET", f"{_API}/configuration/timetracking/list", setting_calls.tracking_providers),
    ("GET PUT", f"{_API}/configuration/timetracking/options", setting_calls.tracking_options),
    ("GET PUT", f"{_API}/applicationrole", setting_calls.roles),
    ("GET PUT", f"{_API}/applicationrole/(?P<name>[^/]+)", setting_calls.role),
    ("POST DELETE", f"{_API}/user/application", setting_calls.user_application),
    ("GET POST", f"{_API}/auditing/record", setting_calls.audit),
)

_DASHBOARDS: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST", f"{_API}/dashboard", dashboard_calls.dashboards),
    ("GET", f"{_API}/dashboard/search", dashboard_calls.search),
    ("GET", f"{_API}/dashboard/gadgets", dashboard_calls.available),
    ("GET PUT DELETE", f"{_API}/dashboard/{_ID}", dashboard_calls.dashboard),
    ("POST", f"{_API}/dashboard/{_ID}/copy", dashboard_calls.copied),
    ("GET POST", f"{_API}/dashboard/{_ID}/gadget", dashboard_calls.gadgets),
    ("PUT DELETE", f"{_API}/dashboard/{_ID}/gadget/{_NUMBER}", dashboard_calls.gadget),
    ("GET", f"{_API}/dashboard/{_ID}/items/{_NUMBER}/properties", dashboard_calls.item_properties),
    (
        "GET PUT DELETE",
        f"{_API}/dashboard/{_ID}/items/{_NUMBER}/properties/(?P<name>[^/]+)",
        dashboard_calls.item_property,
    ),
)

_AVATARS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", f"{_API}/avatar/(?P<kind>[^/]+)/system", avatar_calls.system),
    ("GET", f"{_API}/project/{_KEY}/avatars", avatar_calls.of_project),
    ("PUT POST", f"{_API}/project/{_KEY}/avatar", avatar_calls.project_avatar),
    ("POST", f"{_API}/project/{_KEY}/avatar(?:/temporary|2)", avatar_calls.project_upload),
    ("DELETE", f"{_API}/project/{_KEY}/avatar/{_ID}", avatar_calls.project_picture),
    ("GET", f"{_API}/user/avatars", avatar_calls.of_user),
    ("PUT POST", f"{_API}/user/avatar", avatar_calls.user_avatar),
    ("POST", f"{_API}/user/avatar/temporary", avatar_calls.user_upload),
    ("DELETE", f"{_API}/user/avatar/{_ID}", avatar_calls.user_picture),
)

_CONTEXT = "(?P<id>[^/]+)/context/(?P<context>[0-9]+)/option"
_TAB = f"{_ID}/tabs/(?P<tab_id>[0-9]+)"
_FIELDS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", f"{_API}/field", field_calls.create),
    ("GET", f"{_API}/field/search", field_calls.listed),
    ("PUT DELETE", f"{_API}/field/(?P<id>[^/]+)", field_calls.change),
    ("GET", f"{_API}/field/(?P<id>[^/]+)/context", field_calls.contexts),
    ("GET POST PUT", f"{_API}/field/{_CONTEXT}", field_calls.options),
    ("PUT", f"{_API}/field/{_CONTEXT}/move", field_calls.moved),
    ("DELETE", f"{_API}/field/{_CONTEXT}/{_NUMBER}", field_calls.option),
    ("GET DELETE", f"{_API}/customFields", field_calls.custom_fields),
    ("GET", f"{_API}/customFields/{_ID}/options", field_calls.all_options),
    ("GET POST", f"{_API}/screens", screen_calls.screens),
    ("PUT DELETE", f"{_API}/screens/{_ID}", screen_calls.screen),
    ("GET", f"{_API}/screens/{_ID}/availableFields", screen_calls.available),
    ("GET POST", f"{_API}/screens/{_ID}/tabs", screen_calls.tabs),
    ("PUT DELETE", f"{_API}/screens/{_TAB}", screen_calls.tab),
    ("GET POST", f"{_API}/screens/{_TAB}/fields", screen_calls.tab_fields),
    ("DELETE", f"{_API}/screens/{_TAB}/fields/(?P<field_id>[^/]+)", screen_calls.tab_field),
    ("POST", f"{_API}/screens/{_TAB}/fields/(?P<field_id>[^/]+)/move", screen_calls.moved),
)

PLATFORM: tuple[tuple[str, str, Handler], ...] = (
    *_PEOPLE,
    *_PROJECTS,
    *_SCHEMES,
    *_TYPES,
    *_FILTERS,
    *_ISSUES,
    *_SETTINGS,
    *_DASHBOARDS,
    *_AVATARS,
    *_FIELDS,
)
