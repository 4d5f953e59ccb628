"""Custom fields: made and deleted by administrators, and the options of select fields.

Cloud keeps options in contexts, of which each field here has one; Data Center lists them and deletes whole fields.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connectors.sandbox.jira import bodies
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Field, Flavour

_TYPES = "com.atlassian.jira.plugin.system.customfieldtypes:"
#: Custom field type → type of its values, and of the values in a list.
TYPES: dict[str, tuple[str, str]] = {
    "textfield": ("string", ""),
    "textarea": ("string", ""),
    "url": ("string", ""),
    "float": ("number", ""),
    "datepicker": ("date", ""),
    "select": ("option", ""),
    "radiobuttons": ("option", ""),
    "multiselect": ("array", "option"),
    "multicheckboxes": ("array", "option"),
    "labels": ("array", "string"),
    "userpicker": ("user", ""),
    "grouppicker": ("group", ""),
}
MAX_OPTION = 255


def create(call: Call) -> Answer:
    """``POST /field``: no screen has it before it is added to one."""
    caller, sent = call.administrator(), call.document()
    name, kind = str(sent.get("name") or "").strip(), str(sent.get("type") or "")
    errors = {}
    if not name:
        errors["fieldName"] = "You must specify a name for the custom field."
    if kind.removeprefix(_TYPES) not in TYPES or not kind.startswith(_TYPES):
        known = ", ".join(_TYPES + one for one in TYPES)
        errors["fieldType"] = f"Invalid custom field type specified. There are: {known}."
    if errors:
        raise ApiError(400, errors=errors)
    id = f"customfield_{next(call.site.field_ids)}"
    type, items = TYPES[kind.removeprefix(_TYPES)]
    made = Field(id, name, type, kind, items, attribute=id, description=str(sent.get("description") or ""))
    call.site.put_field(made)
    call.site.note(caller, "Custom field created", "fields", name)
    return json_answer(call.parts.field(made), 201)


def change(call: Call, id: str) -> Answer:
    """``PUT|DELETE /field/{id}`` (Cloud): its name and description; a deleted field is gone for good."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    found = _added(call, id)
    if call.method == "DELETE":
        _delete(call, found)
        return no_content()
    sent = call.document()
    name = str(sent.get("name") or found.name).strip()
    call.site.put_field(replace(found, name=name, description=str(sent.get("description", found.description))))
    return no_content()


def listed(call: Call) -> Answer:
    """``GET /field/search`` (Cloud): custom fields, paged, by text and id."""
    text, ids = call.param("query").lower(), call.names("id")
    custom = [call.parts.field(field) for field in call.site.fields.values() if field.is_custom]
    return json_answer(
        call.page([one for one in custom if text in one["name"].lower() and (not ids or one["id"] in ids)])
    )


def custom_fields(call: Call) -> Answer:
    """``GET /customFields``, paged, by text; ``DELETE`` (Data Center) several by ``ids``."""
    call.administrator()
    if call.method == "GET":
        text = call.param("search").lower()
        custom = [field for field in call.site.fields.values() if field.is_custom and text in field.name.lower()]
        return json_answer(call.page([_described(call, field) for field in custom]))
    call.only_on(Flavour.DATA_CENTER)
    deleted, kept = [], {}
    for id in call.names("ids"):
        found = call.site.fields.get(id if id.startswith("customfield_") else f"customfield_{id}")
        if found is None or found.id != found.attribute:
            kept[id] = "The custom field does not exist." if found is None else "The custom field is locked."
            continue
        _delete(call, found)
        deleted.append(id)
    said = f"{len(deleted)} custom fields deleted."
    return json_answer({"message": said, "deletedCustomFields": deleted, "notDeletedCustomFields": kept})


def _described(call: Call, field: Field) -> dict[str, Any]:
    number = field.id.removeprefix("customfield_")
    return {
        "id": field.id,
        "numericId": int(number),
        "name": field.name,
        "description": field.description,
        "type": field.custom,
        "self": f"{call.parts.api}/customFields/{number}",
        "isLocked": field.id != field.attribute,
        "isAllProjects": True,
        "screensCount": sum(field.id in screen.fields() for screen in call.site.screens.by_id.values()),
        "projectsCount": 0,
    }


def _added(call: Call, id: str) -> Field:
    """A custom field that an administrator added since; those of the site's own are locked."""
    found = call.site.fields.get(id)
    if found is None or not found.is_custom:
        raise ApiError(404, f"The custom field '{id}' does not exist.")
    if found.id != found.attribute:
        raise ApiError(400, f"The custom field '{id}' is locked and cannot be changed.")
    return found


def _delete(call: Call, field: Field) -> None:
    for screen in call.site.screens.by_id.values():
        for tab in screen.tabs:
            tab.fields = [id for id in tab.fields if id != field.id]
    for issue in call.site.ordered():
        if issue.extras is not None:
            issue.extras.values.pop(field.attribute, None)
    call.site.drop_field(field.id)
    call.site.note(call.signed_in(), "Custom field deleted", "fields", field.name)


# --- options --------------------------------------------------------------------------------------------------


def contexts(call: Call, id: str) -> Answer:
    """``GET /field/{id}/context`` (Cloud): the one of all projects."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    field = _select(call, id, is_any=True)
    name = f"Default Configuration Scheme for {field.name}"
    shown = {"id": _context_of(field), "name": name, "description": "", "isGlobalContext": True, "isAnyIssueType": True}
    return json_answer(call.page([shown]))


def options(call: Call, id: str, context: str) -> Answer:
    """``GET|POST|PUT /field/{id}/context/{contextId}/option`` (Cloud): read, add, change."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    field = _in_context(call, id, context)
    if call.method == "GET":
        wanted, only = call.param("optionId"), call.param("onlyOptions").lower() == "true"
        shown = [_option(call, field, text) for text in call.site.options.of(field.attribute)]
        return json_answer(call.page([one for one in shown if only or not wanted or one["id"] == wanted], size=100))
    sent = call.document().get("options")
    if not isinstance(sent, list) or not sent or not all(isinstance(one, dict) for one in sent):
        raise ApiError(400, "A list of options has to be sent.")
    texts = _add(call, field, sent) if call.method == "POST" else _change(call, field, sent)
    call.site.renamed()
    return json_answer({"options": [_option(call, field, text) for text in texts]})


def option(call: Call, id: str, context: str, number: str) -> Answer:
    """``DELETE /field/{id}/context/{contextId}/option/{optionId}`` (Cloud); 400 where issues have it."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    field = _in_context(call, id, context)
    text = _text(call, field, number)
    if any(text in _values(issue.value(field.attribute)) for issue in call.site.ordered()):
        raise ApiError(400, f"The option '{text}' is used by issues.")
    call.site.options.remove(field.attribute, text)
    call.site.renamed()
    return no_content()


def moved(call: Call, id: str, context: str) -> Answer:
    """``PUT /field/{id}/context/{contextId}/option/move`` (Cloud): to the ``position`` First or Last, or ``after``."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    field, sent = _in_context(call, id, context), call.document()
    texts = [_text(call, field, one) for one in bodies.texts(sent, "customFieldOptionIds")]
    others = [text for text in call.site.options.of(field.attribute) if text not in texts]
    if sent.get("after") is not None:
        place = others.index(_text(call, field, str(sent["after"]))) + 1
    elif sent.get("position") in ("First", "Last"):
        place = 0 if sent["position"] == "First" else len(others)
    else:
        raise ApiError(400, "Either 'after' or the 'position' First or Last has to be specified.")
    call.site.options.order(field.attribute, [*others[:place], *texts, *others[place:]])
    return no_content()


def all_options(call: Call, id: str) -> Answer:
    """``GET /customFields/{id}/options`` (Data Center): by text, ``page`` from 1."""
    call.only_on(Flavour.DATA_CENTER)
    call.signed_in()
    field = _select(call, f"customfield_{id}")
    text, size = call.param("query").lower(), call.number("maxResults", 100)
    start = (max(call.number("page", 1), 1) - 1) * size
    texts = [one for one in call.site.options.of(field.attribute) if text in one.lower()]
    if call.param("sortByOptionName").lower() == "true":
        texts.sort()
    shown = [_option(call, field, one) for one in texts[start : start + size]]
    return json_answer({"total": len(texts), "options": shown})


def _select(call: Call, id: str, *, is_any: bool = False) -> Field:
    found = call.site.fields.get(id)
    if found is None or not found.is_custom:
        raise ApiError(404, f"The custom field was not found: {id}.")
    if not is_any and "option" not in (found.type, found.items):
        raise ApiError(400, f"The custom field '{id}' has no options.")
    return found


def _context_of(field: Field) -> str:
    return str(10_000 + int(field.id.removeprefix("customfield_")))


def _in_context(call: Call, id: str, context: str) -> Field:
    field = _select(call, id)
    if context != _context_of(field):
        raise ApiError(404, f"The field context was not found: {context}.")
    return field


def _option(call: Call, field: Field, text: str) -> dict[str, Any]:
    options = call.site.options
    shown: dict[str, Any] = {"id": options.id_of(field.attribute, text), "value": text}
    shown["disabled"] = options.is_disabled(field.attribute, text)
    if call.site.flavour is Flavour.DATA_CENTER:
        shown["self"] = f"{call.parts.api}/customFieldOption/{shown['id']}"
    return shown


def _text(call: Call, field: Field, number: str) -> str:
    found = next((text for text, id in call.site.options.of(field.attribute).items() if id == number), None)
    if found is None:
        raise ApiError(404, f"The option with id '{number}' was not found in the context.")
    return found


def _values(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)


def _value_sent(value: object, known: set[str]) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > MAX_OPTION:
        raise ApiError(400, f"The value of an option has to be text of at most {MAX_OPTION} characters.")
    if text in known:
        raise ApiError(400, f"The option '{text}' already exists.")
    return text


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


def _add(call: Call, field: Field, sent: list[dict[str, Any]]) -> list[str]:
    """Add all options or none."""
    known, texts = set(call.site.options.of(field.attribute)), []
    for one in sent:
        texts.append(_value_sent(one.get("value"), known))
        known.add(texts[-1])
    for text, one in zip(texts, sent, strict=True):
        call.site.options.add(field.attribute, text, is_disabled=_is_true(one.get("disabled")))
    return texts


def _change(call: Call, field: Field, sent: list[dict[str, Any]]) -> list[str]:
    """Rename, disable or enable all options named by id, or none; issues that have one follow."""
    options = call.site.options
    before = [_text(call, field, str(one.get("id"))) for one in sent]
    known = set(options.of(field.attribute)) - set(before)
    after = []
    for text, one in zip(before, sent, strict=True):
        after.append(_value_sent(one.get("value", text), known))
        known.add(after[-1])
    names = dict(zip(before, after, strict=True))
    options.rename(field.attribute, names)
    for text, one in zip(after, sent, strict=True):
        if "disabled" in one:
            options.set_disabled(field.attribute, text, is_disabled=_is_true(one["disabled"]))
    changed = {text: name for text, name in names.items() if text != name}
    for issue in call.site.ordered() if changed else ():
        value = issue.value(field.attribute)
        if not changed.keys().isdisjoint(_values(value)):
            told = tuple(changed.get(text, text) for text in _values(value))
            issue.set_value(field.attribute, told if isinstance(value, tuple) else told[0])
    return after
