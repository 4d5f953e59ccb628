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
from connectors.sandbox.jira.addresses import API, ID, KEY, NAME, number
from connectors.sandbox.jira.administration import project_calls, session_calls
from connectors.sandbox.jira.administration.routes import BEFORE_ISSUES, PLATFORM
from connectors.sandbox.jira.agile import routes as agile_routes
from connectors.sandbox.jira.calls import Handler
from connectors.sandbox.jira.desk import routes as desk_routes

_TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST", f"{API}/search/jql", search_calls.search_jql),
    ("GET POST", f"{API}/search", search_calls.search),
    ("POST", f"{API}/search/approximate-count", search_calls.approximate_count),
    ("GET", f"{API}/serverInfo", meta_calls.server_info),
    ("GET", f"{API}/myself", meta_calls.myself),
    ("GET", f"{API}/mypermissions", meta_calls.permissions),
    ("GET", f"{API}/field", meta_calls.fields),
    ("GET POST", f"{API}/project", project_calls.projects),
    ("GET", f"{API}/project/search", project_calls.search),
    ("GET PUT DELETE", f"{API}/project/{KEY}", project_calls.project),
    ("GET", f"{API}/project/{KEY}/statuses", meta_calls.project_statuses),
    ("GET", f"{API}/issuetype/project", meta_calls.issue_types_of_project),
    ("GET", f"{API}/priority", meta_calls.priorities),
    ("GET", f"{API}/status", meta_calls.statuses),
    ("GET", f"{API}/status/{NAME}", meta_calls.status),
    ("GET", f"{API}/statuscategory", meta_calls.status_categories),
    ("GET", f"{API}/resolution", meta_calls.resolutions),
    ("GET", f"{API}/user/search", lookup_calls.people),
    ("GET", f"{API}/issue/createmeta", lookup_calls.createmeta),
    ("GET", f"{API}/issue/createmeta/{KEY}/issuetypes", meta_calls.createmeta_types),
    ("GET", f"{API}/issue/createmeta/{KEY}/issuetypes/{number('type_id')}", meta_calls.createmeta_fields),
    ("POST", f"{API}/issue", issue_calls.create),
    ("POST", f"{API}/issue/bulk", issue_calls.create_bulk),
    ("GET", f"{API}/issue/{KEY}", issue_calls.read),
    ("PUT", f"{API}/issue/{KEY}", issue_calls.edit),
    ("DELETE", f"{API}/issue/{KEY}", issue_calls.delete),
    ("PUT", f"{API}/issue/{KEY}/assignee", issue_calls.assign),
    ("GET", f"{API}/issue/{KEY}/editmeta", issue_calls.edit_screen),
    ("GET", f"{API}/issue/{KEY}/changelog", issue_calls.changelog),
    ("GET", f"{API}/issue/{KEY}/transitions", issue_calls.transitions),
    ("POST", f"{API}/issue/{KEY}/transitions", issue_calls.move),
    ("GET", f"{API}/issue/{KEY}/comment", detail_calls.comments),
    ("POST", f"{API}/issue/{KEY}/comment", detail_calls.add_comment),
    ("GET PUT DELETE", f"{API}/issue/{KEY}/comment/{ID}", detail_calls.comment),
    ("POST", f"{API}/issue/{KEY}/attachments", detail_calls.attach),
    ("GET DELETE", f"{API}/attachment/{ID}", detail_calls.attachment),
    ("GET", f"{API}/attachment/content/{ID}", detail_calls.attachment_content),
    ("POST", f"{API}/issueLink", detail_calls.link),
    ("GET DELETE", f"{API}/issueLink/{ID}", detail_calls.link_of),
    ("GET PUT DELETE", f"{API}/issue/{KEY}/remotelink/{ID}", detail_calls.remote_link),
    ("GET POST", f"{API}/issue/{KEY}/worklog", worklog_calls.worklogs),
    ("GET PUT DELETE", f"{API}/issue/{KEY}/worklog/{ID}", worklog_calls.worklog),
    ("GET", f"{API}/comment/{ID}/properties", detail_calls.comment_properties),
    ("GET PUT DELETE", f"{API}/comment/{ID}/properties/{NAME}", detail_calls.comment_property),
    ("GET", f"{API}/issue/{KEY}/remotelink", detail_calls.remote_links),
    ("POST", f"{API}/issue/{KEY}/remotelink", detail_calls.add_remote_link),
    ("DELETE", f"{API}/issue/{KEY}/remotelink", detail_calls.drop_remote_link),
    ("GET", f"{API}/issue/{KEY}/properties", detail_calls.properties),
    ("GET PUT DELETE", f"{API}/issue/{KEY}/properties/{NAME}", detail_calls.property_of),
    ("GET POST DELETE", f"{API}/issue/{KEY}/watchers", detail_calls.watchers),
    ("GET POST DELETE", f"{API}/issue/{KEY}/votes", detail_calls.votes),
)

_LOOK_UPS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", f"{API}/priority/{ID}", lookup_calls.priority),
    ("GET", f"{API}/resolution/{ID}", lookup_calls.resolution),
    ("GET", f"{API}/statuscategory/(?P<id>[^/]+)", lookup_calls.status_category),
    ("GET", f"{API}/customFieldOption/{ID}", lookup_calls.custom_option),
    ("GET", f"{API}/users(?:/search)?", lookup_calls.people),
    ("GET", f"{API}/user/assignable/(?:search|multiProjectSearch)", lookup_calls.people),
    ("GET", f"{API}/user/(?:viewissue|permission)/search", lookup_calls.people),
    ("GET", f"{API}/permissions", lookup_calls.all_permissions),
    ("GET", f"{API}/projectvalidate/key", lookup_calls.valid_key),
    ("GET", f"{API}/configuration", lookup_calls.configuration),
    ("GET", f"{API}/attachment/meta", lookup_calls.attachment_settings),
    ("GET", f"{API}/jql/autocompletedata", lookup_calls.autocomplete),
    ("GET", f"{API}/jql/autocompletedata/suggestions", lookup_calls.suggestions),
    ("POST", f"{API}/jql/match", lookup_calls.match),
    ("GET", f"{API}/worklog/updated", worklog_calls.updated),
    ("GET", f"{API}/worklog/deleted", worklog_calls.deleted),
    ("POST", f"{API}/worklog/list", worklog_calls.listed),
    ("GET POST DELETE", "/rest/auth/(?:1|latest)/session", session_calls.session),
    ("DELETE", "/rest/auth/1/websudo", session_calls.end_websudo),
    ("GET", "/rest/applinks/latest/listApplicationlinks", lookup_calls.application_links),
)

_SHELF: tuple[tuple[str, str, Handler], ...] = (
    *(
        (methods, f"{API}/{kind}{path}", partial(answer, kind=kind))
        for kind in ("version", "component")
        for methods, path, answer in (("POST", "", shelf_calls.add), ("GET PUT DELETE", f"/{ID}", shelf_calls.one))
    ),
    *(
        (
            "GET",
            f"{API}/{kind}/{ID}/(?P<count>relatedIssueCounts|unresolvedIssueCount)",
            partial(shelf_calls.counted, kind=kind),
        )
        for kind in ("version", "component")
    ),
    *(
        ("GET", f"{API}/project/{KEY}/{kind}{suffix}", partial(answer, kind=kind))
        for kind in ("version", "component")
        for suffix, answer in (("s", shelf_calls.of_project), ("", shelf_calls.page_of_project))
    ),
    ("POST", f"{API}/version/{ID}/move", shelf_calls.moved),
    ("PUT", f"{API}/version/{ID}/mergeto/{number('other')}", shelf_calls.merged),
)

_BARE: tuple[tuple[str, str, Handler], ...] = (
    *(("GET", path, bare_calls.page) for path in bare_calls.PAGES),
    *(("GET", path, partial(bare_calls.named, name=name)) for path, name in bare_calls.NAMED.items()),
    *(("GET PUT DELETE", path, partial(bare_calls.missing, said=said)) for path, said in bare_calls.SINGLE.items()),
)

#: What may be asked for where, and which function answers; searches come first, they are many.
ADDRESSES = tuple(
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
    )
)


def matching(method: str, path: str) -> tuple[Handler, dict[str, str]] | int:
    """The function for a request and the parts of its path; 404 or 405 when there is none."""
    is_known = False
    for methods, pattern, handler in ADDRESSES:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        is_known = True
        if method in methods:
            return handler, match.groupdict()
    return 405 if is_known else 404
