"""Which path of Jira Software is answered by which function."""

from __future__ import annotations

from functools import partial

from connectors.sandbox.jira.addresses import ID, KEY, NAME, number
from connectors.sandbox.jira.agile import board_calls, epic_calls, property_calls, rank_calls, sprint_calls
from connectors.sandbox.jira.agile.lookups import counted, token_page
from connectors.sandbox.jira.agile.property_calls import OWNERS
from connectors.sandbox.jira.calls import Handler

_AGILE = r"/rest/agile/(?:1\.0|latest)"
_GREENHOPPER = r"/rest/greenhopper/(?:1\.0|latest)"
_BOARD = f"{_AGILE}/board/{ID}"
_SPRINT = f"{_AGILE}/sprint/{ID}"
_SOFTWARE = r"/rest/software/1\.0"

TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET POST", f"{_AGILE}/board", board_calls.boards),
    ("GET", f"{_AGILE}/board/filter/{ID}", board_calls.of_filter),
    ("GET DELETE", _BOARD, board_calls.one),
    ("GET", f"{_BOARD}/configuration", board_calls.configuration),
    ("GET", f"{_BOARD}/issue", board_calls.issues),
    ("POST", f"{_BOARD}/issue", rank_calls.to_board),
    ("GET", f"{_BOARD}/backlog", board_calls.backlog),
    ("GET", f"{_BOARD}/sprint", board_calls.sprints),
    ("GET", f"{_BOARD}/sprint/{number('sprint_id')}/issue", board_calls.issues_of_sprint),
    ("GET", f"{_BOARD}/epic", board_calls.epics),
    ("GET", f"{_BOARD}/epic/{KEY}/issue", board_calls.issues_of_epic),
    ("GET", f"{_BOARD}/project(?:/full)?", board_calls.projects),
    ("GET", f"{_BOARD}/version", board_calls.versions),
    ("GET", f"{_BOARD}/features", board_calls.features),
    ("GET", f"{_BOARD}/reports", board_calls.reports),
    ("GET", f"{_BOARD}/quickfilter", board_calls.nothing),
    ("GET", f"{_BOARD}/quickfilter/{number('filter_id')}", board_calls.quick_filter),
    ("GET PUT", f"{_BOARD}/settings/refined-velocity", board_calls.refined_velocity),
    ("POST", f"{_AGILE}/sprint", sprint_calls.create),
    ("GET PUT POST DELETE", _SPRINT, sprint_calls.one),
    ("GET POST", f"{_SPRINT}/issue", sprint_calls.issues),
    ("POST", f"{_SPRINT}/swap", sprint_calls.swap),
    *(("GET", f"{_AGILE}/{owner}/{ID}/properties", partial(property_calls.keys, owner=owner)) for owner in OWNERS),
    *(
        ("GET PUT DELETE", f"{_AGILE}/{owner}/{ID}/properties/{NAME}", partial(property_calls.one, owner=owner))
        for owner in OWNERS
    ),
    ("POST", f"{_AGILE}/backlog/issue", rank_calls.to_backlog),
    ("POST", f"{_AGILE}/backlog/{ID}/issue", rank_calls.to_backlog_of),
    ("PUT", f"{_AGILE}/issue/rank", rank_calls.rank),
    ("GET", f"{_AGILE}/issue/{KEY}", rank_calls.issue),
    ("GET PUT", f"{_AGILE}/issue/{KEY}/estimation", rank_calls.estimation),
    ("GET POST", f"{_AGILE}/epic/{KEY}/issue", epic_calls.issues),
    ("GET POST", f"{_AGILE}/epic/{KEY}", epic_calls.one),
    ("PUT", f"{_AGILE}/epic/{KEY}/rank", epic_calls.rank),
    ("PUT", f"{_GREENHOPPER}/sprint/{ID}", sprint_calls.rename),
    ("POST", rf"{_GREENHOPPER}/xboard/issue/flag/flag\.json", rank_calls.flag),
    *(
        ("GET", f"{_SOFTWARE}{path}", partial(answer, page=token_page))
        for path, answer in (
            (f"/board/{ID}/issue", board_calls.issues),
            (f"/board/{ID}/backlog", board_calls.backlog),
            (f"/board/{ID}/epic/{KEY}/issue", board_calls.issues_of_epic),
            (f"/board/{ID}/sprint/{number('sprint_id')}/issue", board_calls.issues_of_sprint),
            (f"/sprint/{ID}/issue", sprint_calls.issues),
            (f"/epic/{KEY}/issue", epic_calls.issues),
        )
    ),
    ("GET", f"{_SOFTWARE}/board/{ID}/issue/approximate-count", partial(board_calls.issues, page=counted)),
    ("GET", f"{_SOFTWARE}/board/{ID}/backlog/approximate-count", partial(board_calls.backlog, page=counted)),
)
