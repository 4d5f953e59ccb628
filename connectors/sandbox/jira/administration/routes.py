"""The addresses of administration and of what hangs on it; :mod:`routes` has those of daily work."""

from __future__ import annotations

from functools import partial

from connectors.sandbox.jira import archive_calls, attachment_calls, bulk_calls, picker_calls
from connectors.sandbox.jira.addresses import API, ID, KEY, NAME, number
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

_NUMBER = number("number")

_PEOPLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST PUT DELETE", f"{API}/user/?", user_calls.user),
    ("GET", f"{API}/user/bulk", user_calls.several),
    ("GET", f"{API}/user/properties", user_calls.properties),
    ("GET PUT DELETE", f"{API}/user/properties/{NAME}", user_calls.property_of),
    ("GET", f"{API}/user/duplicated/(?P<form>count|list)", user_calls.duplicated),
    ("GET", f"{API}/user/groups", group_calls.of_user),
    ("GET", f"{API}/groups/picker", group_calls.picker),
    ("GET POST DELETE", f"{API}/group", group_calls.group),
    ("GET", f"{API}/group/member", group_calls.members),
    ("GET", f"{API}/group/bulk", group_calls.bulk),
    ("POST DELETE", f"{API}/group/user", group_calls.membership),
)

_PROJECTS: tuple[tuple[str, str, Handler], ...] = (
    ("PUT POST", f"{API}/project/{KEY}/archive", project_calls.archive),
    ("PUT POST", f"{API}/project/{KEY}/restore", project_calls.restore),
    ("GET", f"{API}/project/{KEY}/properties", project_calls.properties),
    ("GET PUT DELETE", f"{API}/project/{KEY}/properties/{NAME}", project_calls.property_of),
    ("GET", f"{API}/project/type(?:/accessible)?", project_calls.types),
    ("GET", f"{API}/project/type/(?P<name>[a-z_]+)(?:/accessible)?", project_calls.type_of),
    ("GET POST", f"{API}/projectCategory", project_calls.categories),
    ("GET PUT DELETE", f"{API}/projectCategory/{ID}", project_calls.category),
    ("GET", f"{API}/project/{KEY}/role", role_calls.of_project),
    ("GET", f"{API}/project/{KEY}/roledetails", role_calls.details),
    ("GET POST PUT DELETE", f"{API}/project/{KEY}/role/{ID}", role_calls.in_project),
    ("GET POST", f"{API}/role", role_calls.roles),
    ("GET PUT POST DELETE", f"{API}/role/{ID}", role_calls.role),
    ("GET POST DELETE", f"{API}/role/{ID}/actors", role_calls.default_actors),
)

_SCHEMES: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST", f"{API}/permissionscheme", scheme_calls.permission_schemes),
    ("GET PUT DELETE", f"{API}/permissionscheme/{ID}", scheme_calls.permission_scheme),
    ("GET POST", f"{API}/permissionscheme/{ID}/permission", scheme_calls.grants),
    ("GET DELETE", f"{API}/permissionscheme/{ID}/permission/{_NUMBER}", scheme_calls.grant),
    ("GET PUT", f"{API}/project/{KEY}/permissionscheme", scheme_calls.permission_scheme_of),
    ("GET", f"{API}/workflow", workflow_calls.workflows),
    ("GET", f"{API}/workflow/search", workflow_calls.search),
    ("GET", f"{API}/workflowscheme", workflow_calls.schemes),
    ("GET", f"{API}/workflowscheme/project", workflow_calls.schemes_of_projects),
    ("GET", f"{API}/workflowscheme/{ID}", workflow_calls.scheme),
    ("GET", f"{API}/project/{KEY}/workflowscheme", workflow_calls.scheme_of),
    ("GET POST", f"{API}/priorityschemes", scheme_calls.priority_schemes),
    ("GET PUT DELETE", f"{API}/priorityschemes/{ID}", scheme_calls.priority_scheme),
    ("GET PUT", f"{API}/project/{KEY}/priorityscheme", scheme_calls.priority_scheme_of),
    ("GET", f"{API}/notificationscheme", scheme_calls.notification_schemes),
    ("GET", f"{API}/issuesecurityschemes", scheme_calls.security_schemes),
    *(
        ("GET", f"{API}/{path}", partial(answer, kind=kind))
        for path, answer, kind in (
            (f"notificationscheme/{ID}", scheme_calls.plain_scheme, "notificationscheme"),
            (f"issuesecurityschemes/{ID}", scheme_calls.plain_scheme, "issuesecurityscheme"),
            (f"project/{KEY}/notificationscheme", scheme_calls.plain_scheme_of, "notificationscheme"),
            (f"project/{KEY}/issuesecuritylevelscheme", scheme_calls.plain_scheme_of, "issuesecurityscheme"),
        )
    ),
)

_TYPES: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST", f"{API}/issuetype", type_calls.issue_types),
    ("GET PUT DELETE", f"{API}/issuetype/{ID}", type_calls.issue_type),
    ("GET", f"{API}/issuetype/{ID}/alternatives", type_calls.alternatives),
    ("GET POST", f"{API}/issuetypescheme/?", type_calls.schemes),
    ("GET PUT", f"{API}/issuetypescheme/project", type_calls.of_projects),
    ("GET PUT DELETE", f"{API}/issuetypescheme/{ID}", type_calls.scheme),
    ("GET POST PUT DELETE", f"{API}/issuetypescheme/{ID}/associations", type_calls.associations),
    ("PUT", f"{API}/issuetypescheme/{ID}/issuetype", type_calls.types_of_scheme),
    ("DELETE", f"{API}/issuetypescheme/{ID}/issuetype/{number('type_id')}", type_calls.type_of_scheme),
    ("GET POST", f"{API}/issueLinkType", type_calls.link_types),
    ("GET PUT DELETE", f"{API}/issueLinkType/{ID}", type_calls.link_type),
)

_FILTERS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", f"{API}/filter", filter_calls.add),
    ("GET PUT DELETE", f"{API}/filter/{ID}", filter_calls.one),
    ("GET", f"{API}/filter/favourite", filter_calls.favourites),
    ("GET", f"{API}/filter/search", filter_calls.search),
    ("GET", f"{API}/filter/my", filter_calls.mine),
    ("GET PUT", f"{API}/filter/defaultShareScope", filter_calls.share_scope),
    ("PUT DELETE", f"{API}/filter/{ID}/favourite", filter_calls.favoured),
    ("PUT", f"{API}/filter/{ID}/owner", filter_calls.owner),
    ("GET PUT DELETE", f"{API}/filter/{ID}/columns", filter_calls.columns),
    ("GET POST", f"{API}/filter/{ID}/permission", filter_calls.shares),
    ("GET DELETE", f"{API}/filter/{ID}/permission/{_NUMBER}", filter_calls.share),
)

_ISSUES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", f"{API}/changelog/bulkfetch", bulk_calls.changelogs),
    ("POST", f"{API}/comment/list", bulk_calls.comments),
    ("POST", f"{API}/issue/{KEY}/notify", picker_calls.notify),
    ("GET", f"{API}/issue/{KEY}/subtask", picker_calls.subtasks),
    ("GET", f"{API}/user/picker", picker_calls.users),
    ("GET", f"{API}/groupuserpicker", picker_calls.users_and_groups),
    ("GET PUT DELETE", f"{API}/mypreferences", picker_calls.preference),
    ("PUT", f"{API}/issue/{KEY}/archive", archive_calls.archive),
    ("PUT", f"{API}/issue/{KEY}/restore", archive_calls.restore),
    ("PUT", f"{API}/issue/{KEY}/comment/{ID}/pin", archive_calls.pin),
    ("GET", f"{API}/issue/{KEY}/pinned-comments", archive_calls.pinned),
    ("GET", f"{API}/attachment/{ID}/expand/(?P<form>human|raw)", attachment_calls.expanded),
)

#: Addresses that could be taken for a single issue's.
BEFORE_ISSUES: tuple[tuple[str, str, Handler], ...] = (
    *(("PUT", f"{API}/issue/{verb}", partial(archive_calls.several, verb=verb)) for verb in ("archive", "unarchive")),
    ("GET", f"{API}/issue/picker", picker_calls.issues),
)

_SETTINGS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", f"{API}/application-properties(?:/advanced-settings)?", setting_calls.properties),
    ("PUT", f"{API}/application-properties/{NAME}", setting_calls.property_of),
    ("GET PUT", f"{API}/configuration/timetracking", setting_calls.tracking_provider),
    ("GET", f"{API}/configuration/timetracking/list", setting_calls.tracking_providers),
    ("GET PUT", f"{API}/configuration/timetracking/options", setting_calls.tracking_options),
    ("GET PUT", f"{API}/applicationrole", setting_calls.roles),
    ("GET PUT", f"{API}/applicationrole/{NAME}", setting_calls.role),
    ("POST DELETE", f"{API}/user/application", setting_calls.user_application),
    ("GET POST", f"{API}/auditing/record", setting_calls.audit),
)

_DASHBOARDS: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST", f"{API}/dashboard", dashboard_calls.dashboards),
    ("GET", f"{API}/dashboard/search", dashboard_calls.search),
    ("GET", f"{API}/dashboard/gadgets", dashboard_calls.available),
    ("GET PUT DELETE", f"{API}/dashboard/{ID}", dashboard_calls.dashboard),
    ("POST", f"{API}/dashboard/{ID}/copy", dashboard_calls.copied),
    ("GET POST", f"{API}/dashboard/{ID}/gadget", dashboard_calls.gadgets),
    ("PUT DELETE", f"{API}/dashboard/{ID}/gadget/{_NUMBER}", dashboard_calls.gadget),
    ("GET", f"{API}/dashboard/{ID}/items/{_NUMBER}/properties", dashboard_calls.item_properties),
    (
        "GET PUT DELETE",
        f"{API}/dashboard/{ID}/items/{_NUMBER}/properties/{NAME}",
        dashboard_calls.item_property,
    ),
)

_AVATARS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", f"{API}/avatar/(?P<kind>[^/]+)/system", avatar_calls.system),
    ("GET", f"{API}/project/{KEY}/avatars", avatar_calls.of_project),
    ("PUT POST", f"{API}/project/{KEY}/avatar", avatar_calls.project_avatar),
    ("POST", f"{API}/project/{KEY}/avatar(?:/temporary|2)", avatar_calls.project_upload),
    ("DELETE", f"{API}/project/{KEY}/avatar/{ID}", avatar_calls.project_picture),
    ("GET", f"{API}/user/avatars", avatar_calls.of_user),
    ("PUT POST", f"{API}/user/avatar", avatar_calls.user_avatar),
    ("POST", f"{API}/user/avatar/temporary", avatar_calls.user_upload),
    ("DELETE", f"{API}/user/avatar/{ID}", avatar_calls.user_picture),
)

_CONTEXT = f"(?P<id>[^/]+)/context/{number('context')}/option"
_TAB = f"{ID}/tabs/{number('tab_id')}"
_FIELDS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", f"{API}/field", field_calls.create),
    ("GET", f"{API}/field/search", field_calls.listed),
    ("PUT DELETE", f"{API}/field/(?P<id>[^/]+)", field_calls.change),
    ("GET", f"{API}/field/(?P<id>[^/]+)/context", field_calls.contexts),
    ("GET POST PUT", f"{API}/field/{_CONTEXT}", field_calls.options),
    ("PUT", f"{API}/field/{_CONTEXT}/move", field_calls.moved),
    ("DELETE", f"{API}/field/{_CONTEXT}/{_NUMBER}", field_calls.option),
    ("GET DELETE", f"{API}/customFields", field_calls.custom_fields),
    ("GET", f"{API}/customFields/{ID}/options", field_calls.all_options),
    ("GET POST", f"{API}/screens", screen_calls.screens),
    ("PUT DELETE", f"{API}/screens/{ID}", screen_calls.screen),
    ("GET", f"{API}/screens/{ID}/availableFields", screen_calls.available),
    ("GET POST", f"{API}/screens/{ID}/tabs", screen_calls.tabs),
    ("PUT DELETE", f"{API}/screens/{_TAB}", screen_calls.tab),
    ("GET POST", f"{API}/screens/{_TAB}/fields", screen_calls.tab_fields),
    ("DELETE", f"{API}/screens/{_TAB}/fields/(?P<field_id>[^/]+)", screen_calls.tab_field),
    ("POST", f"{API}/screens/{_TAB}/fields/(?P<field_id>[^/]+)/move", screen_calls.moved),
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
