"""Issues: create, read, edit, delete, move through the workflow, and read their history."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import bodies, catalogue, values
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content, text_answer
from connectors.sandbox.jira.catalogue import DONE, Flavour, Project, Transition
from connectors.sandbox.jira.desk import approvals
from connectors.sandbox.jira.model import HistoryItem, Issue
from connectors.sandbox.jira.render import CHANGELOG_ON_CLOUD
from connectors.sandbox.jira.values import BadValueError

MAX_BULK = 50
AUTOMATIC = "-1"


def create(call: Call) -> Answer:
    """``POST /issue``."""
    return json_answer(create_issue(call, call.document()), 201)


def create_bulk(call: Call) -> Answer:
    """``POST /issue/bulk``: up to 50; what fails is listed beside what was created."""
    updates = call.document().get("issueUpdates")
    if not isinstance(updates, list) or len(updates) > MAX_BULK:
        raise ApiError(400, f"The number of issues to create must be between 1 and {MAX_BULK}.")
    issues, errors = [], []
    for number, update in enumerate(bodies.parts({"issueUpdates": updates}, "issueUpdates")):
        try:
            issues.append(create_issue(call, update))
        except ApiError as error:
            body = {"errorMessages": error.messages, "errors": error.errors}
            errors.append({"status": error.status, "elementErrors": body, "failedElementNumber": number})
    return json_answer({"issues": issues, "errors": errors}, 201 if issues else 400)


def create_issue(call: Call, document: dict[str, Any]) -> dict[str, Any]:
    """Create one issue; answers what the API answers."""
    author = call.writer()
    fields, properties = dict(bodies.part(document, "fields")), bodies.parts(document, "properties")
    project = _project_of(call, fields.pop("project", None))
    type_id = _type_of(fields.pop("issuetype", None), project)
    if "summary" not in fields:
        raise ApiError(400, errors={"summary": "You must specify a summary of the issue."})
    screen = frozenset(call.site.create_screen(project))
    issue = call.site.new_issue(project, type_id, author=author)
    issue.assignee = _default_assignee(call, project)
    try:
        values.set_fields(call, issue, fields, screen)
    except ApiError:
        call.site.delete(issue)
        raise
    for entry in properties:
        issue.more().properties[str(entry.get("key"))] = entry.get("value")
    call.site.publish(issue)
    return {"id": str(issue.id), "key": issue.key, "self": f"{call.parts.api}/issue/{issue.id}"}


def _project_of(call: Call, value: Any) -> Project:
    wanted = str(value.get("id") or value.get("key") or "") if isinstance(value, dict) else ""
    found = call.site.projects.named(wanted)
    if found is not None and found.id not in call.site.projects.archived:
        return found
    raise ApiError(400, errors={"project": "valid project is required"})


def _type_of(value: Any, project: Project) -> str:
    wanted = (str(value.get("id")), value.get("name")) if isinstance(value, dict) else ()
    for kind in project.types:
        if kind.id in wanted or kind.name in wanted:
            return kind.id
    raise ApiError(400, errors={"issuetype": "The issue type selected is invalid."})


def read(call: Call, key: str) -> Answer:
    """``GET /issue/{idOrKey}`` with fields and expand."""
    issue = call.issue(key)
    fields = call.names("fields") or ("*all",)
    text = call.renderer.issue(issue, fields, changes=CHANGELOG_ON_CLOUD if "changelog" in call.names("expand") else 0)
    asked = call.names("properties")
    if asked:
        kept = issue.extras.properties if issue.extras is not None else {}
        shown = {name: value for name, value in kept.items() if "*all" in asked or name in asked}
        text = text[:-1] + f',"properties":{json_answer(shown).body.decode()}}}'
    return text_answer(text)


def edit(call: Call, key: str) -> Answer:
    """``PUT /issue/{idOrKey}``: fields, and updates of labels and comments."""
    issue = call.issue(key)
    author = call.writer()
    document = call.document()
    fields, comments = _with_updates(call, issue, document)
    changed = values.set_fields(call, issue, fields, call.site.edit_screen(issue.project))
    _finish(call, issue, author.name, changed, comments)
    return no_content()


def _finish(call: Call, issue: Issue, author: str, changed: list[HistoryItem], comments: list[str]) -> None:
    for text in comments:
        values.add_comment(call, issue, text)
    values.record(call, issue, author, changed)
    call.site.touch(issue)


def _with_updates(call: Call, issue: Issue, document: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The fields to set, with ``update`` operations on labels folded in, and comments to add."""
    fields = dict(bodies.part(document, "fields"))
    comments = []
    for field_id, operations in bodies.part(document, "update").items():
        for operation in operations if isinstance(operations, list) else (None,):
            if not isinstance(operation, dict):
                raise ApiError(400, errors={field_id: 'Operations are objects such as {"set": …}.'})
            for verb, value in operation.items():
                if field_id == "comment" and verb == "add":
                    comments.append(plain_text(call, value))
                elif field_id == "labels" and verb in ("add", "remove"):
                    labels = list(fields.get("labels", issue.labels))
                    labels = [label for label in labels if label != value] + ([value] if verb == "add" else [])
                    fields["labels"] = labels
                elif verb == "set":
                    fields[field_id] = value
                else:
                    message = f"Field '{field_id}' does not support operation '{verb}'."
                    raise ApiError(400, errors={field_id: message})
    return fields, comments


def plain_text(call: Call, value: Any) -> str:
    """A comment's text as it is kept, from wiki text or a document."""
    try:
        return values.wiki(call, value.get("body") if isinstance(value, dict) else value)
    except BadValueError as mistake:
        raise ApiError(400, errors={"comment": str(mistake)}) from None


def delete(call: Call, key: str) -> Answer:
    """``DELETE /issue/{idOrKey}``."""
    issue = call.issue(key)
    call.writer()
    below = call.site.subtasks(issue)
    if below and call.param("deleteSubtasks").lower() != "true":
        raise ApiError(400, f"The issue '{issue.key}' has subtasks. You must specify the 'deleteSubtasks' parameter.")
    for one in (*below, issue):
        call.site.delete(one)
    return no_content()


def assign(call: Call, key: str) -> Answer:
    """``PUT /issue/{idOrKey}/assignee``; ``-1`` means the project's default assignee."""
    issue = call.issue(key)
    author = call.writer()
    sent: dict[str, str] | None = call.document()
    if sent and AUTOMATIC in (sent.get("accountId"), sent.get("name")):
        default = call.site.directory.named(_default_assignee(call, issue.project))
        sent = {"accountId": default.account_id, "name": default.login} if default is not None else None
    changed = values.set_fields(call, issue, {"assignee": sent}, frozenset({"assignee"}))
    _finish(call, issue, author.name, changed, [])
    return no_content()


def _default_assignee(call: Call, project: Project) -> str | None:
    details = call.site.projects.details(project)
    return details.lead if details.assignee_type == "PROJECT_LEAD" else None


def edit_screen(call: Call, key: str) -> Answer:
    """``GET /issue/{idOrKey}/editmeta``."""
    issue = call.issue(key)
    shown = {
        field_id: {
            "required": field_id == "summary",
            "name": call.site.fields[field_id].name,
            "key": field_id,
            "schema": call.parts.field(call.site.fields[field_id])["schema"],
            "operations": ["set"],
        }
        for field_id in sorted(call.site.edit_screen(issue.project))
    }
    return json_answer({"fields": shown})


def changelog(call: Call, key: str) -> Answer:
    """``GET /issue/{idOrKey}/changelog`` (Cloud), paged, oldest first."""
    if call.site.flavour is not Flavour.CLOUD:
        raise ApiError(404, "null for uri: changelog")
    issue = call.issue(key)
    entries = call.renderer.changelog.entries(issue)
    start = call.number("startAt", 0)
    size = min(call.number("maxResults", 100), 100)
    shown = ",".join(entries[start : start + size])
    is_last = "true" if start + size >= len(entries) else "false"
    return text_answer(
        f'{{"self":"{call.parts.api}/issue/{issue.id}/changelog","maxResults":{size},"startAt":{start},'
        f'"total":{len(entries)},"isLast":{is_last},"values":[{shown}]}}'
    )


# --- workflow -------------------------------------------------------------------------------------------------


def transitions(call: Call, key: str) -> Answer:
    """``GET /issue/{idOrKey}/transitions``: what the caller may do now; empty without the right to."""
    issue = call.issue(key)
    may = call.account is not None and call.account.may_write
    shown = [_transition(call, way) for way in _ways(call, issue)] if may else []
    wanted = call.param("transitionId")
    if wanted:
        shown = [way for way in shown if way["id"] == wanted]
    if "transitions.fields" not in call.names("expand"):
        for way in shown:
            way.pop("fields")
    return json_answer({"expand": "transitions", "transitions": shown})


def ways_of(call: Call, key: str) -> list[dict[str, str]]:
    """The ways on from where an issue stands, by id and name."""
    return [{"id": way.id, "name": way.name} for way in _ways(call, call.issue(key))]


def _ways(call: Call, issue: Issue) -> list[Transition]:
    ways = call.site.quirks.ways(issue.project.workflow)
    return [way for way in ways if way.sources is None or issue.status.id in way.sources]


def _transition(call: Call, way: Transition) -> dict[str, Any]:
    fields = {}
    for field_id in way.required:
        field = call.parts.field(call.site.fields[field_id])
        fields[field_id] = {
            "required": True,
            "schema": field["schema"],
            "name": field["name"],
            "key": field_id,
            "fieldId": field_id,
            "operations": ["set"],
            "hasDefaultValue": False,
            "allowedValues": [call.parts.resolution(id) for id in catalogue.RESOLUTIONS]
            if field_id == "resolution"
            else [],
        }
    return {
        "id": way.id,
        "name": way.name,
        "to": call.parts.status(way.to),
        "hasScreen": bool(way.required),
        "isGlobal": way.sources is None,
        "isInitial": False,
        "isConditional": False,
        "isAvailable": True,
        "fields": fields,
    }


def move(call: Call, key: str) -> Answer:
    """``POST /issue/{idOrKey}/transitions``."""
    return take(call, key, call.document())


def take(call: Call, key: str, document: dict[str, Any]) -> Answer:
    """Take the way that a document names; 400 where it does not lead on from here, or demands fields."""
    issue = call.issue(key)
    author = call.writer()
    wanted = str(bodies.part(document, "transition").get("id") or "")
    way = next((way for way in _ways(call, issue) if way.id == wanted), None)
    if way is None:
        raise ApiError(400, f"Transition id '{wanted}' is not valid for this issue.")
    fields, comments = _with_updates(call, issue, document)
    missing = {
        field_id: f"{call.site.fields[field_id].name} is required."
        for field_id in way.required
        if not fields.get(field_id)
    }
    if missing:
        raise ApiError(400, errors=missing)
    changed = values.set_fields(call, issue, fields, frozenset(way.required))
    before = issue.status
    issue.status = way.to
    changed.append(HistoryItem("status", "status", False, before.id, before.name, way.to.id, way.to.name))
    changed.extend(_settle_resolution(call, issue))
    approvals.moved(call, issue)
    _finish(call, issue, author.name, changed, comments)
    return no_content()


def _settle_resolution(call: Call, issue: Issue) -> list[HistoryItem]:
    """The workflow's post functions: leaving a done status clears the resolution, cancelling sets one."""
    is_done = issue.status.category is DONE
    if not is_done and issue.resolution is not None:
        item = values.resolve(call, issue, None)
    elif is_done and issue.resolution is None:
        item = values.resolve(call, issue, "10001")
    else:
        item = None
    return [item] if item is not None else []
