"""Files of requests: sent to the service desk first, then hung on a request with a comment that names them."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import bodies, values
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.desk.lookups import DESK, date, desk_named, page, page_of, person, request
from connectors.sandbox.jira.desk.request_calls import shown_comment
from connectors.sandbox.jira.desk.service import TemporaryFile
from connectors.sandbox.jira.model import Attachment, Issue


def temporary(call: Call, id: str) -> Answer:
    """``POST /servicedesk/{id}/attachTemporaryFile``: multipart, and only with ``X-Atlassian-Token: no-check``."""
    desk_named(call, id)
    call.writer()
    call.refuse_forgery()
    if not call.uploads:
        raise ApiError(400, "No file was sent.")
    shown = []
    for sent in call.uploads:
        file_id = f"temp{next(call.site.ids)}"
        call.site.service.files[file_id] = TemporaryFile(sent.name, sent.media_type, sent.content)
        shown.append({"temporaryAttachmentId": file_id, "fileName": sent.name})
    return json_answer({"temporaryAttachments": shown}, 201)


def attachments(call: Call, key: str) -> Answer:
    """``GET`` and ``POST /request/{key}/attachment``: the files sent before, ``public`` or for the team."""
    issue = request(call, key)
    if call.method == "GET":
        files = issue.extras.attachments if issue.extras is not None else []
        return page(call, [shown(call, issue, file) for file in files])
    author, sent, now = call.writer(), call.document(), call.site.now
    ids = [str(id) for id in bodies.listed(sent, "temporaryAttachmentIds")]
    known = call.site.service.files
    missing = [id for id in ids if id not in known]
    if missing or not ids:
        raise ApiError(400, f"There is no temporary file {', '.join(missing) or '(none was named)'}.")
    files = [
        Attachment(str(next(call.site.ids)), author.name, file.name, file.media_type, file.content, now)
        for file in (known.pop(id) for id in dict.fromkeys(ids))
    ]
    said = str(bodies.part(sent, "additionalComment").get("body") or "")
    body = "\n\n".join([*([said] if said else []), *(f"[^{file.name}]" for file in files)])
    comment = values.add_comment(call, issue, body, is_internal=not sent.get("public", True))
    issue.more().attachments.extend(files)
    issue.set_value("comment_files", {**(issue.value("comment_files") or {}), comment.id: [one.id for one in files]})
    call.site.touch(issue)
    told = {"comment": shown_comment(call, comment)}
    return json_answer({**told, "attachments": page_of(call, [shown(call, issue, file) for file in files])}, 201)


def of_comment(call: Call, key: str, id: str) -> Answer:
    """``GET /request/{key}/comment/{id}/attachment``."""
    issue = request(call, key)
    if values.comment_named(call, issue, id) is None:
        raise ApiError(404, "The comment doesn't exist.")
    ids = (issue.value("comment_files") or {}).get(id, ())
    return page(call, [shown(call, issue, file) for file in issue.more().attachments if file.id in ids])


def content(call: Call, key: str, id: str) -> Answer:
    """``GET /request/{key}/attachment/{id}``: the file itself."""
    return _content(call, key, id, "")


def thumbnail(call: Call, key: str, id: str) -> Answer:
    """``GET /request/{key}/attachment/{id}/thumbnail``: of a picture, here in its full size."""
    return _content(call, key, id, "image/")


def _content(call: Call, key: str, id: str, kind: str) -> Answer:
    found = next((one for one in request(call, key).more().attachments if one.id == id), None)
    if found is None or not found.media_type.startswith(kind):
        raise ApiError(404, "The attachment doesn't exist.")
    return Answer(200, found.content, content_type=found.media_type)


def shown(call: Call, issue: Issue, file: Attachment) -> dict[str, Any]:
    """A file as Service Management shows it."""
    author = call.site.directory.named(file.author)
    link = f"{call.desk.base}{DESK}/request/{issue.id}/attachment/{file.id}"
    return {
        "filename": file.name,
        "author": person(call, author) if author is not None else None,
        "created": date(call, file.created),
        "size": len(file.content),
        "mimeType": file.media_type,
        "_links": {
            "self": link,
            "jiraRest": f"{call.parts.api}/attachment/{file.id}",
            "content": f"{call.parts.api}/attachment/content/{file.id}",
            "thumbnail": f"{link}/thumbnail",
        },
    }
