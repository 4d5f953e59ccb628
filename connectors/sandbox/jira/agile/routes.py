"""Which path of Jira Software is answered by which function."""

from __future__ import annotations

from functools import partial

from connectors.sandbox.jira.agile import board_calls, epic_calls, rank_calls, sprint_calls
from connectors.sandbox.jira.agile.lookups import counted, token_page
from connectors.sandbox.jira.calls import Handler

_AGILE = r"/rest/agile/(?:1\.0|latest)"
_GREENHOPPER = r"/rest/greenhopper/(?:1\.0|latest)"
_KEY = r"(?P<key>[A-Za-z0-9-]+)"
_ID = r"(?P<id>[0-9]+)"
_BOARD = f"{_AGILE}/board/{_ID}"
_SPRINT = f"{_AGILE}/sprint/{_ID}"
_SOFTWARE = r"/rest/software/1\.0"
_NAME = r"(?P<name>[^/]+)"

TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST", f"{_AGILE}/board", board_calls.boards),
    ("GET", f"{_AGILE}/board/filter/{_ID}", board_calls.of_filter),
    ("GET DELETE", _BOARD, board_calls.one),
    ("GET", f"{_BOARD}/configuration", board_calls.configuration),
    ("GET", f"{_BOARD}/issue", board_calls.issues),
    ("POST", f"{_BOARD}/issue", rank_calls.to_board),
    ("GET", f"{_BOARD}/backlog", board_calls.backlog),
    ("GET", f"{_BOARD}/sprint", board_calls.sprints),
    ("GET", f"{_BOARD}/sprint/(?P<sprint_id>[0-9]+)/issue", board_calls.issues_of_sprint),
    ("GET", f"{_BOARD}/epic", board_calls.epics),
    ("GET", f"{_BOARD}/epic/{_KEY}/issue", board_calls.issues_of_epic),
    ("GET", f"{_BOARD}/project(?:/full)?", board_calls.projects),
    ("GET", f"{_BOARD}/version", board_calls.versions),
    ("GET", f"{_BOARD}/features", board_calls.features),
    ("GET", f"{_BOARD}/reports", board_calls.reports),
    ("GET", f"{_BOARD}/quickfilter", board_calls.nothing),
    ("GET", f"{_BOARD}/quickfilter/(?P<filter_id>[0-9]+)", board_calls.quick_filter),
    ("GET", f"{_BOARD}/properties", board_calls.properties),
    ("GET PUT DELETE", f"{_BOARD}/properties/{_NAME}", board_calls.property_of),
    ("GET PUT", f"{_BOARD}/settings/refined-velocity", board_calls.refined_velocity),
    ("POST", f"{_AGILE}/sprint", sprint_calls.create),
    ("GET PUT POST DELETE", _SPRINT, sprint_calls.one),
    ("GET POST", f"{_SPRINT}/issue", sprint_calls.issues),
    ("POST", f"{_SPRINT}/swap", sprint_calls.swap),
    ("GET", f"{_SPRINT}/properties", sprint_calls.properties),
    ("GET PUT DELETE", f"{_SPRINT}/properties/{_NAME}", sprint_calls.property_of),
    ("POST", f"{_AGILE}/backlog/issue", rank_calls.to_backlog),
    ("POST", f"{_AGILE}/backlog/{_ID}/issue", rank_calls.to_backlog),
    ("PUT", f"{_AGILE}/issue/rank", rank_calls.rank),
    ("GET", f"{_AGILE}/issue/{_KEY}", rank_calls.issue),
    ("GET PUT", f"{_AGILE}/issue/{_KEY}/estimation", rank_calls.estimation),
    ("GET POST", f"{_AGILE}/epic/{_KEY}/issue", epic_calls.issues),
    ("GET POST", f"{_AGILE}/epic/{_KEY}", epic_calls.one),
    ("PUT", f"{_AGILE}/epic/{_KEY}/rank", epic_calls.rank),
    ("PUT", f"{_GREENHOPPER}/sprint/{_ID}", sprint_calls.rename),
    ("POST", rf"{_GREENHOPPER}/xboard/issue/flag/flag\.json", rank_calls.flag),
    *(
        ("GET", f"{_SOFTWARE}{path}", partial(answer, page=token_page))
        for path, answer in (
            (f"/board/{_ID}/issue", board_calls.issues),
            (f"/board/{_ID}/backlog", board_calls.backlog),
            (f"/board/{_ID}/epic/{_KEY}/issue", board_calls.issues_of_epic),
            (f"/board/{_ID}/sprint/(?P<sprint_id>[0-9]+)/issue", board_calls.issues_of_sprint),
            (f"/sprint/{_ID}/issue", sprint_calls.issues),
            (f"/epic/{_KEY}/issue", epic_calls.issues),
        )
    ),
    ("GET", f"{_SOFTWARE}/board/{_ID}/issue/approximate-count", partial(board_calls.issues, page=counted)),
    ("GET", f"{_SOFTWARE}/board/{_ID}/backlog/approximate-count", partial(board_calls.backlog, page=counted)),
)
