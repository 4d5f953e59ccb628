"""Which path is answered by which function; the table is the API's index."""

from __future__ import annotations

import re

from connectors.sandbox.jira import detail_calls, issue_calls, meta_calls, search_calls, servicedesk_calls
from connectors.sandbox.jira.calls import Handler

_API = r"/rest/api/(?P<version>2|3|latest)"
_KEY = r"(?P<key>[A-Za-z0-9-]+)"
_DESK = "/rest/servicedeskapi"

_TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST", f"{_API}/search/jql", search_calls.search_jql),
    ("GET POST", f"{_API}/search", search_calls.search),
    ("POST", f"{_API}/search/approximate-count", search_calls.approximate_count),
    ("GET", f"{_API}/serverInfo", meta_calls.server_info),
    ("GET", f"{_API}/myself", meta_calls.myself),
    ("GET", f"{_API}/mypermissions", meta_calls.permissions),
    ("GET", f"{_API}/field", meta_calls.fields),
    ("GET", f"{_API}/project", meta_calls.projects),
    ("GET", f"{_API}/project/search", meta_calls.project_search),
    ("GET", f"{_API}/project/{_KEY}", meta_calls.project),
    ("GET", f"{_API}/project/{_KEY}/statuses", meta_calls.project_statuses),
    ("GET", f"{_API}/issuetype", meta_calls.issue_types),
    ("GET", f"{_API}/issuetype/project", meta_calls.issue_types_of_project),
    ("GET", f"{_API}/priority", meta_calls.priorities),
    ("GET", f"{_API}/status", meta_calls.statuses),
    ("GET", f"{_API}/status/(?P<name>[^/]+)", meta_calls.status),
    ("GET", f"{_API}/statuscategory", meta_calls.status_categories),
    ("GET", f"{_API}/resolution", meta_calls.resolutions),
    ("GET", f"{_API}/issueLinkType", meta_calls.link_types),
    ("GET", f"{_API}/user/search", meta_calls.users),
    ("GET", f"{_API}/user", meta_calls.user),
    ("GET", f"{_API}/filter/(?P<id>[0-9]+)", meta_calls.filter_of),
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
    ("GET", f"{_API}/attachment/(?P<id>[0-9]+)", detail_calls.attachment),
    ("GET", f"{_API}/attachment/content/(?P<id>[0-9]+)", detail_calls.attachment_content),
    ("POST", f"{_API}/issueLink", detail_calls.link),
    ("GET", f"{_API}/issue/{_KEY}/remotelink", detail_calls.remote_links),
    ("POST", f"{_API}/issue/{_KEY}/remotelink", detail_calls.add_remote_link),
    ("GET", f"{_API}/issue/{_KEY}/properties", detail_calls.properties),
    ("GET PUT DELETE", f"{_API}/issue/{_KEY}/properties/(?P<name>[^/]+)", detail_calls.property_of),
    ("GET POST", f"{_API}/issue/{_KEY}/watchers", detail_calls.watchers),
    ("GET POST", f"{_API}/issue/{_KEY}/votes", detail_calls.votes),
    ("GET", f"{_DESK}/info", servicedesk_calls.info),
    ("GET", f"{_DESK}/servicedesk", servicedesk_calls.service_desks),
    ("GET", f"{_DESK}/request/{_KEY}/sla", servicedesk_calls.request_sla),
    ("GET", f"{_DESK}/request/{_KEY}/feedback", servicedesk_calls.feedback),
    ("GET", f"{_DESK}/request/{_KEY}/approval", servicedesk_calls.approvals),
)

_COMPILED = tuple((frozenset(methods.split()), re.compile(path), handler) for methods, path, handler in _TABLE)


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
