"""Which path is answered by which function; the table is the API's index."""

from __future__ import annotations

import re
from functools import partial

from connectors.sandbox.jira import (
    bare_calls,
    detail_calls,
    issue_calls,
    lookup_calls,
    meta_calls,
    search_calls,
    shelf_calls,
    worklog_calls,
)
from connectors.sandbox.jira.administration import project_calls, session_calls
from connectors.sandbox.jira.administration.routes import BEFORE_ISSUES, PLATFORM
from connectors.sandbox.jira.agile import routes as agile_routes
from connectors.sandbox.jira.calls import Handler
from connectors.sandbox.jira.desk import routes as desk_routes

_API = r"/rest/api/(?P<version>2|3|latest)"
_KEY = r"(?P<key>[A-Za-z0-9-]+)"
_ID = r"(?P<id>[0-9]+)"

_TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST", f"{_API}/search/jql", search_calls.search_jql),
    ("GET POST", f"{_API}/search", search_calls.search),
    ("POST", f"{_API}/search/approximate-count", search_calls.approximate_count),
    ("GET", f"{_API}/serverInfo", meta_calls.server_info),
    ("GET", f"{_API}/myself", meta_calls.myself),
    ("GET", f"{_API}/mypermissions", meta_calls.permissions),
    ("GET", f"{_API}/field", meta_calls.fields),
    ("GET POST", f"{_API}/project", project_calls.projects),
    ("GET", f"{_API}/project/search", project_calls.search),
    ("GET PUT DELETE", f"{_API}/project/{_KEY}", project_calls.project),
    ("GET", f"{_API}/project/{_KEY}/statuses", meta_calls.project_statuses),
    ("GET", f"{_API}/issuetype/project", meta_calls.issue_types_of_project),
    ("GET", f"{_API}/priority", meta_calls.priorities),
    ("GET", f"{_API}/status", meta_calls.statuses),
    ("GET", f"{_API}/status/(?P<name>[^/]+)", meta_calls.status),
    ("GET", f"{_API}/statuscategory", meta_calls.status_categories),
    ("GET", f"{_API}/resolution", meta_calls.resolutions),
    ("GET", f"{_API}/user/search", meta_calls.users),
    ("GET", f"{_API}/issue/createmeta", lookup_calls.createmeta),
    ("GET", f"{_API}/issue/createmeta/{_KEY}/issuetypes", meta_calls.createmeta_types),
    ("GET", f"{_API}/issue/createmeta/{_KEY}/issuetypes/(?P<type_id>[0-9]+)", meta_calls.createmeta_fields),
    ("POST", f"{_API}/issue", issue_calls.create),
    ("POST", f"{_API}/issue/bulk", issue_calls.create_bulk),
    ("GET", f"{_API}/issue/{_KEY}", issue_calls.read),
    ("PUT", f"{_API}/issue/{_KEY}", issue_calls.edit),
    ("DELETE", f"{_API}/issue/{_KEY}", issue_calls.delete),
    ("PUT", f"{_API}/issue/{_KEY}/assignee", issue_calls.assign),
    ("GET", f"{_API}/issue/{_KEY}/editmeta", issue_calls.edit_screen),
    ("GET", f"{_API}/issue/{_KEY}/changelog", issue_calls.changelog),
    ("GET", f"{_API}/issue/{_KEY}/transitions", issue_calls.transitions),
    ("POST", f"{_API}/issue/{_KEY}/transitions", issue_calls.move),
    ("GET", f"{_API}/issue/{_KEY}/comment", detail_calls.comments),
    ("POST", f"{_API}/issue/{_KEY}/comment", detail_calls.add_comment),
    ("GET PUT DELETE", f"{_API}/issue/{_KEY}/comment/(?P<id>[0-9]+)", detail_calls.comment),
    ("POST", f"{_API}/issue/{_KEY}/attachments", detail_calls.attach),
    ("GET DELETE", f"{_API}/attachment/{_ID}", detail_calls.attachment),
    ("GET", f"{_API}/attachment/content/(?P<id>[0-9]+)", detail_calls.attachment_content),
    ("POST", f"{_API}/issueLink", detail_calls.link),
    ("GET DELETE", f"{_API}/issueLink/{_ID}", detail_calls.link_of),
    ("GET PUT DELETE", f"{_API}/issue/{_KEY}/remotelink/{_ID}", detail_calls.remote_link),
    ("GET POST", f"{_API}/issue/{_KEY}/worklog", worklog_calls.worklogs),
    ("GET PUT DELETE", f"{_API}/issue/{_KEY}/worklog/{_ID}", worklog_calls.worklog),
    ("GET", f"{_API}/comment/{_ID}/properties", detail_calls.comment_properties),
    ("GET PUT DELETE", f"{_API}/comment/{_ID}/properties/(?P<name>[^/]+)", detail_calls.comment_property),
    ("GET", f"{_API}/issue/{_KEY}/remotelink", detail_calls.remote_links),
    ("POST", f"{_API}/issue/{_KEY}/remotelink", detail_calls.add_remote_link),
    ("DELETE", f"{_API}/issue/{_KEY}/remotelink", detail_calls.drop_remote_link),
    ("GET", f"{_API}/issue/{_KEY}/properties", detail_calls.properties),
    ("GET PUT DELETE", f"{_API}/issue/{_KEY}/properties/(?P<name>[^/]+)", detail_calls.property_of),
    ("GET POST DELETE", f"{_API}/issue/{_KEY}/watchers", detail_calls.watchers),
    ("GET POST DELETE", f"{_API}/issue/{_KEY}/votes", detail_calls.votes),
)

_LOOK_UPS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", f"{_API}/priority/{_ID}", lookup_calls.priority),
    ("GET", f"{_API}/resolution/{_ID}", lookup_calls.resolution),
    ("GET", f"{_API}/statuscategory/(?P<id>[^/]+)", lookup_calls.status_category),
    ("GET", f"{_API}/customFieldOption/{_ID}", lookup_calls.custom_option),
    ("GET", f"{_API}/users(?:/search)?", lookup_calls.assignable),
    ("GET", f"{_API}/user/assignable/(?:search|multiProjectSearch)", lookup_calls.assignable),
    ("GET", f"{_API}/user/(?:viewissue|permission)/search", lookup_calls.assignable),
    ("GET", f"{_API}/permissions", lookup_calls.all_permissions),
    ("GET", f"{_API}/projectvalidate/key", lookup_calls.valid_key),
    ("GET", f"{_API}/configuration", lookup_calls.configuration),
    ("GET", f"{_API}/attachment/meta", lookup_calls.attachment_settings),
    ("GET", f"{_API}/jql/autocompletedata", lookup_calls.autocomplete),
    ("GET", f"{_API}/jql/autocompletedata/suggestions", lookup_calls.suggestions),
    ("POST", f"{_API}/jql/match", lookup_calls.match),
    ("GET", f"{_API}/worklog/updated", worklog_calls.updated),
    ("GET", f"{_API}/worklog/deleted", worklog_calls.deleted),
    ("POST", f"{_API}/worklog/list", worklog_calls.listed),
    ("GET POST DELETE", "/rest/auth/(?:1|latest)/session", session_calls.session),
    ("DELETE", "/rest/auth/1/websudo", session_calls.end_websudo),
    ("GET", "/rest/applinks/latest/listApplicationlinks", lookup_calls.application_links),
)

_SHELF: tuple[tuple[str, str, Handler], ...] = (
    *(
        (methods, f"{_API}/{kind}{path}", partial(answer, kind=kind))
        for kind in ("version", "component")
        for methods, path, answer in (("POST", "", shelf_calls.add), ("GET PUT DELETE", f"/{_ID}", shelf_calls.one))
    ),
    *(
        (
            "GET",
            f"{_API}/{kind}/{_ID}/(?P<count>relatedIssueCounts|unresolvedIssueCount)",
            partial(shelf_calls.counted, kind=kind),
        )
        for kind in ("version", "component")
    ),
    *(
        ("GET", f"{_API}/project/{_KEY}/{kind}{suffix}", partial(answer, kind=kind))
        for kind in ("version", "component")
        for suffix, answer in (("s", shelf_calls.of_project), ("", shelf_calls.page_of_project))
    ),
    ("POST", f"{_API}/version/{_ID}/move", shelf_calls.moved),
    ("PUT", f"{_API}/version/{_ID}/mergeto/(?P<other>[0-9]+)", shelf_calls.merged),
)

_BARE: tuple[tuple[str, str, Handler], ...] = (
    *(("GET", path, bare_calls.page) for path in bare_calls.PAGES),
    *(("GET", path, partial(bare_calls.named, name=name)) for path, name in bare_calls.NAMED.items()),
    *(("GET PUT DELETE", path, partial(bare_calls.missing, said=said)) for path, said in bare_calls.SINGLE.items()),
)

_COMPILED = tuple(
    (frozenset(methods.split()), re.compile(path), handler)
    for methods, path, handler in (
        *_TABLE[:3],
        *_LOOK_UPS,
        *_SHELF,
        *BEFORE_ISSUES,
        *_TABLE[3:],
        *PLATFORM,
        *desk_routes.TABLE,
        *agile_routes.TABLE,
        *_BARE,
    )  # searches first, they are many
)


def matching(method: str, path: str) -> tuple[Handler, dict[str, str]] | int:
    """The function for a request and the parts of its path; 404 or 405 when there is none."""
    is_known = False
    for methods, pattern, handler in _COMPILED:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        is_known = True
        if method in methods:
            return handler, match.groupdict()
    return 405 if is_known else 404
