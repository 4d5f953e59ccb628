"""What hangs on an issue: comments, attachments, links, remote links, properties, watchers, votes."""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.sandbox.jira import bodies, entity_properties, values
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content, text_answer
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.model import Attachment, Issue, Link, RemoteLink
from connectors.sandbox.jira.values import BadValueError

MAX_GLOBAL_ID = 255


# --- comments -------------------------------------------------------------------------------------------------


def comments(call: Call, key: str) -> Answer:
    """``GET /issue/{key}/comment``, paged."""
    issue = call.issue(key)
    return text_answer(call.renderer.comments(issue, call.number("startAt", 0), call.number("maxResults", 5_000)))


def add_comment(call: Call, key: str) -> Answer:
    """``POST /issue/{key}/comment``; the property ``sd.public.comment`` makes it internal."""
    issue = call.issue(key)
    call.writer()
    document = call.document()
    public = next((one for one in bodies.parts(document, "properties") if one.get("key") == "sd.public.comment"), {})
    is_internal = bool(bodies.part(public, "value").get("internal"))
    made = values.add_comment(call, issue, _body(call, document), is_internal=is_internal)
    call.site.touch(issue)
    return text_answer(call.renderer.comment(issue, made), 201)


def comment(call: Call, key: str, id: str) -> Answer:
    """``GET|PUT|DELETE /issue/{key}/comment/{id}``."""
    issue = call.issue(key)
    found = values.comment_named(call, issue, id)
    if found is None:
        raise ApiError(404, f"Can not find a comment for the id: {id}.")
    if call.method == "GET":
        return text_answer(call.renderer.comment(issue, found))
    call.writer()
    if call.method == "DELETE":
        issue.more().comments.remove(found)
        call.site.touch(issue)
        return no_content()
    found.body = _body(call, call.document())
    found.updated = call.site.now
    call.site.touch(issue)
    return text_answer(call.renderer.comment(issue, found))


def _body(call: Call, document: dict[str, Any]) -> str:
    try:
        text = values.wiki(call, document.get("body"))
    except BadValueError as mistake:
        raise ApiError(400, errors={"comment": str(mistake)}) from None
    if not text.strip():
        raise ApiError(400, errors={"comment": "Comment body can not be empty!"})
    return text


# --- attachments ----------------------------------------------------------------------------------------------


def attach(call: Call, key: str) -> Answer:
    """``POST /issue/{key}/attachments``: multipart, and only with ``X-Atlassian-Token: no-check``."""
    issue = call.issue(key)
    author = call.writer()
    call.refuse_forgery()
    if not call.uploads:
        raise ApiError(400, "No file was attached.")
    added = [
        Attachment(str(next(call.site.ids)), author.name, file.name, file.media_type, file.content, call.site.now)
        for file in call.uploads
    ]
    issue.more().attachments.extend(added)
    call.site.touch(issue)
    return text_answer("[" + ",".join(call.renderer.attachment(file) for file in added) + "]")


def attachment(call: Call, id: str) -> Answer:
    """``GET|DELETE /attachment/{id}``."""
    issue, found = find_attachment(call, id)
    if call.method == "GET":
        return text_answer(call.renderer.attachment(found))
    call.writer()
    issue.more().attachments.remove(found)
    call.site.touch(issue)
    return no_content()


def attachment_content(call: Call, id: str) -> Answer:
    """``GET /attachment/content/{id}``."""
    _, found = find_attachment(call, id)
    return Answer(200, found.content, content_type=found.media_type)


def find_attachment(call: Call, id: str) -> tuple[Issue, Attachment]:
    """An attachment and the issue it hangs on; 404 where there is none, or its issue is hidden."""
    call.signed_in()
    for issue in call.site.ordered():
        for found in issue.extras.attachments if issue.extras is not None else ():
            if found.id == id and call.sight.shows(issue):
                return issue, found
    raise ApiError(404, f"The attachment with id '{id}' does not exist")


# --- links ----------------------------------------------------------------------------------------------------


def link(call: Call) -> Answer:
    """``POST /issueLink``; repeating a link adds none."""
    document = call.document()
    call.writer()
    wanted = bodies.part(document, "type")
    type_id = next(
        (
            id
            for id, (name, _, _) in call.site.link_types.items()
            if wanted.get("name") == name or wanted.get("id") == id
        ),
        None,
    )
    if type_id is None:
        raise ApiError(404, f"No issue link type with name '{wanted.get('name')}' found.")
    inward = _end(call, document.get("inwardIssue"))
    outward = _end(call, document.get("outwardIssue"))
    is_cloud = call.site.flavour is Flavour.CLOUD
    asked = outward if is_cloud else inward
    if asked.project.key in call.site.quirks.unlinkable:
        raise ApiError(404 if is_cloud else 401, f"No Link Issue Permission for issue '{asked.key}'")
    known = inward.extras.links if inward.extras is not None else []
    if any(one.type_id == type_id and one.other == outward.id and one.is_outward for one in known):
        return Answer(201)
    standing = sum(
        call.site.issue(str(one.other)) is not None for one in known
    )  # what is deleted takes its links along
    if standing >= call.site.quirks.max_links:
        raise ApiError(413, "The issue has reached the limit of links.")
    id = str(next(call.site.ids))
    inward.more().links.append(Link(id, type_id, outward.id, is_outward=True))
    outward.more().links.append(Link(id, type_id, inward.id, is_outward=False))
    call.site.touch(inward)
    call.site.touch(outward)
    return Answer(201)


def link_of(call: Call, id: str) -> Answer:
    """``GET|DELETE /issueLink/{id}``: between two issues that the caller may see."""
    issue, seen = _link_named(call, id)
    other = call.issue(str(seen.other))
    if call.method == "DELETE":
        call.writer()
        for end in (issue, other):
            end.more().links = [one for one in end.more().links if one.id != id]
            call.site.touch(end)
        return no_content()
    inward, outward = (issue, other) if seen.is_outward else (other, issue)
    name, inward_text, outward_text = call.site.link_types[seen.type_id]
    kind = msgspec.json.encode({"id": seen.type_id, "name": name, "inward": inward_text, "outward": outward_text})
    short = call.renderer.short
    return text_answer(
        f'{{"id":"{id}","self":"{call.parts.api}/issueLink/{id}","type":{kind.decode()},'
        f'"inwardIssue":{short(inward.id)},"outwardIssue":{short(outward.id)}}}'
    )


def _link_named(call: Call, id: str) -> tuple[Issue, Link]:
    for issue in filter(call.sight.shows, call.site.ordered()):
        for one in issue.extras.links if issue.extras is not None else ():
            if one.id == id and call.sight.by_id(one.other) is not None:
                return issue, one
    raise ApiError(404, f"No issue link with id '{id}' exists.")


def _end(call: Call, value: Any) -> Issue:
    if not isinstance(value, dict):
        raise ApiError(400, "Both inwardIssue and outwardIssue are required.")
    return call.issue(str(value.get("id") or value.get("key") or ""))


def remote_links(call: Call, key: str) -> Answer:
    """``GET /issue/{key}/remotelink``, all or the one of ``globalId``."""
    issue = call.issue(key)
    found = issue.extras.remote_links if issue.extras is not None else []
    wanted = call.param("globalId")
    if wanted:
        one = next((one for one in found if one.document.get("globalId") == wanted), None)
        if one is None:
            raise ApiError(404, f"The remote link with global id '{wanted}' does not exist")
        return json_answer(_remote(call, issue, one))
    return json_answer([_remote(call, issue, one) for one in found])


def _remote(call: Call, issue: Issue, one: RemoteLink) -> dict[str, Any]:
    return {"id": one.id, "self": f"{call.parts.api}/issue/{issue.id}/remotelink/{one.id}", **one.document}


def add_remote_link(call: Call, key: str) -> Answer:
    """``POST /issue/{key}/remotelink``: ``globalId`` updates in place; what is left out becomes null."""
    issue = call.issue(key)
    call.writer()
    document = _remote_document(call)
    global_id = document["globalId"]
    links = issue.more().remote_links
    known = next((one for one in links if global_id is not None and one.document["globalId"] == global_id), None)
    status = 200 if known is not None else 201
    if known is None:
        known = RemoteLink(next(call.site.ids), document)
        links.append(known)
    known.document = document
    call.site.touch(issue)
    return json_answer({"id": known.id, "self": f"{call.parts.api}/issue/{issue.id}/remotelink/{known.id}"}, status)


def drop_remote_link(call: Call, key: str) -> Answer:
    """``DELETE /issue/{key}/remotelink``: the one of ``globalId``."""
    issue = call.issue(key)
    call.writer()
    wanted = call.param("globalId")
    if not wanted:
        raise ApiError(400, "The globalId of the remote link has to be specified.")
    links = issue.extras.remote_links if issue.extras is not None else []
    found = next((one for one in links if one.document.get("globalId") == wanted), None)
    if found is None:
        raise ApiError(404, f"The remote link with global id '{wanted}' does not exist")
    links.remove(found)
    call.site.touch(issue)
    return no_content()


def remote_link(call: Call, key: str, id: str) -> Answer:
    """``GET|PUT|DELETE /issue/{key}/remotelink/{id}``."""
    issue = call.issue(key)
    links = issue.extras.remote_links if issue.extras is not None else []
    found = next((one for one in links if str(one.id) == id), None)
    if found is None:
        raise ApiError(404, f"The remote link with id '{id}' does not exist.")
    if call.method == "GET":
        return json_answer(_remote(call, issue, found))
    call.writer()
    if call.method == "DELETE":
        links.remove(found)
    else:
        found.document = _remote_document(call)
    call.site.touch(issue)
    return no_content()


def _remote_document(call: Call) -> dict[str, Any]:
    sent = call.document()
    target = sent.get("object")
    if not isinstance(target, dict) or not target.get("url") or not target.get("title"):
        raise ApiError(400, errors={"object": "'url' and 'title' are required."})
    global_id = sent.get("globalId")
    if global_id is not None and len(str(global_id)) > MAX_GLOBAL_ID:
        raise ApiError(400, errors={"globalId": "The globalId must be at most 255 characters."})
    return {
        "globalId": global_id,
        "application": sent.get("application"),
        "relationship": sent.get("relationship"),
        "object": {name: target.get(name) for name in ("url", "title", "summary", "icon", "status")},
    }


# --- properties, watchers, votes ------------------------------------------------------------------------------


def properties(call: Call, key: str) -> Answer:
    """``GET /issue/{key}/properties``: the keys."""
    issue = call.issue(key)
    names = issue.extras.properties if issue.extras is not None else {}
    return json_answer({"keys": entity_properties.keys(names, f"{call.parts.api}/issue/{issue.id}/properties")})


def property_of(call: Call, key: str, name: str) -> Answer:
    """``GET|PUT|DELETE /issue/{key}/properties/{name}``."""
    issue = call.issue(key)
    if call.method != "GET":
        call.writer()
    return entity_properties.one(call, issue.more().properties, name)


def comment_properties(call: Call, id: str) -> Answer:
    """``GET /comment/{id}/properties``: the keys."""
    known = _properties_of_comment(call, id)
    return json_answer({"keys": entity_properties.keys(known, f"{call.parts.api}/comment/{id}/properties")})


def comment_property(call: Call, id: str, name: str) -> Answer:
    """``GET|PUT|DELETE /comment/{id}/properties/{name}``."""
    known = _properties_of_comment(call, id)
    if call.method != "GET":
        call.writer()
    return entity_properties.one(call, known, name)


def _properties_of_comment(call: Call, id: str) -> dict[str, Any]:
    for issue in filter(call.sight.shows, call.site.ordered()):
        if values.comment_named(call, issue, id) is not None:
            return issue.more().comment_properties.setdefault(id, {})
    raise ApiError(404, f"Can not find a comment for the id: {id}.")


def watchers(call: Call, key: str) -> Answer:
    """``GET|POST|DELETE /issue/{key}/watchers``: the body of POST names the person, nobody: oneself."""
    issue = call.issue(key)
    people = issue.more().watchers
    if call.method == "GET":
        directory = call.site.directory
        shown = [call.parts.person(account) for name in people if (account := directory.named(name)) is not None]
        is_watching = call.account is not None and call.account.name in people
        return json_answer({"watchCount": len(people), "isWatching": is_watching, "watchers": shown})
    author = call.writer()
    text = call.param("accountId") or call.param("username")
    if call.method == "POST":
        text = str(call.json()) if call.body.strip() else ""
    meant = call.site.directory.meant(text) if text else author
    if meant is None:
        raise ApiError(404, f"The user '{text}' does not exist.")
    _present(people, meant.name, is_wanted=call.method == "POST")
    return no_content()


def votes(call: Call, key: str) -> Answer:
    """``GET|POST|DELETE /issue/{key}/votes``."""
    issue = call.issue(key)
    people = issue.more().voters
    if call.method != "GET":
        _present(people, call.writer().name, is_wanted=call.method == "POST")
        return no_content()
    has_voted = call.account is not None and call.account.name in people
    return json_answer({"votes": len(people), "hasVoted": has_voted, "voters": []})


def _present(people: list[str], name: str, *, is_wanted: bool) -> None:
    if is_wanted and name not in people:
        people.append(name)
    elif not is_wanted and name in people:
        people.remove(name)
