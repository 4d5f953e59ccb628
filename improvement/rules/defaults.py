"""``kind: Defaults``: what holds for every rule of a folder and the folders below, unless a rule says otherwise."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import Field, StringConstraints, create_model

from improvement.rules.documents import ActionPart, CheckPart, LimitsPart, Part, SpecPart
from improvement.rules.fields import Line

WHOLE = frozenset({"target", "where", "clear", "flow_down"})  # taken over whole, never key by key


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` on top of ``base``: mappings key by key (but targets and the like whole), everything else replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        is_joined = isinstance(value, dict) and isinstance(below, dict) and key not in WHOLE
        result[key] = merged(cast("dict[str, Any]", below), value) if is_joined else value
    return result


def _partial(model: type[Part], **more: Any) -> type[Part]:
    """A model with the same keys, none of them required."""
    fields: dict[str, Any] = {
        name: (info.rebuild_annotation() | None, Field(None, alias=info.alias, description=info.description))
        for name, info in model.model_fields.items()
    }
    return create_model(f"Default{model.__name__}", __base__=Part, __doc__=model.__doc__, **fields, **more)


class DefaultMetadataPart(Part):
    """What the rules of a folder share about their ownership."""

    owner: Line | None = None
    objective: Annotated[str, StringConstraints(max_length=200)] | None = None
    tags: dict[str, Line] | None = None


DefaultSpecPart = _partial(SpecPart, limits=(LimitsPart | None, None))
DefaultActionPart = _partial(ActionPart)
DefaultCheckPart = _partial(CheckPart)


class DefaultsDocument(Part):
    """Defaults and limits of a folder of rules."""

    apiVersion: Literal["regelkreis/v1"]  # noqa: N815
    kind: Literal["Defaults"]
    metadata: DefaultMetadataPart = DefaultMetadataPart()
    spec: DefaultSpecPart | None = None  # type: ignore[valid-type]
    action: DefaultActionPart | None = None  # type: ignore[valid-type]
    check: DefaultCheckPart | None = None  # type: ignore[valid-type]
