"""Writes: search for the trace of an earlier attempt, send at most one request, read back and compare."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from connectors.http import platform_message, refusal, send
from connectors.servicenow.records import MODES, NEVER, NO_PLACE, Mode
from connectors.servicenow.tables import Instance
from improvement.errors import ConnectionFailed, Place, WriteRefused
from improvement.records import Outbound, OutboundFile, PreviewRequest, Receipt, RecordRef, Verb

MARK = "[rk {key}]"
_NUMBER = re.compile(r"[-−]?\d+(?:\.\d+)?")
REFUSED = frozenset({400, 403, 404, 405, 409, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Request:
    """One writing request, ready to be sent or shown."""

    method: str
    path: str
    body: dict[str, str] | None = None
    params: dict[str, str] | None = None
    file: OutboundFile | None = None

    @property
    def sha256(self) -> str:
        """Digest of what is sent, without credentials."""
        content = self.file.content if self.file else json.dumps(self.body or {}, sort_keys=True).encode()
        return hashlib.sha256(f"{self.method} {self.path} {self.params}\n".encode() + content).hexdigest()


class Writer:
    """Writes improvement records of one instance in its detected mode."""

    def __init__(self, instance: Instance, mode: Mode) -> None:
        self.instance = instance
        self.mode = mode

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        """Make one write effective exactly once."""
        mode = MODES[ref.mode] if ref is not None else self.mode
        found = self._trace(outbound, ref, mode)
        request, unwritten = self._request(outbound, ref, mode)
        if found is not None and outbound.verb is not Verb.UPDATE:
            return Receipt(
                ref=found, status=0, was_found=True, request_sha256=request.sha256 if request else "", unwritten=unwritten
            )
        if request is None:
            if ref is None:
                raise WriteRefused(f"Nothing of {outbound.key} has a place on this platform.")
            return Receipt(ref=ref, status=0, was_found=True, request_sha256="", unwritten=unwritten)
        response = self._send(request, outbound)
        written = response.json().get("result", {}) if response.content else {}
        if outbound.verb is Verb.CREATE:
            ref = self._ref(mode, written)
        if ref is None:
            raise ConnectionFailed(f"{outbound.key} has no record yet.")
        shown, differences = self._compare(request, ref, mode, outbound)
        return Receipt(
            ref=ref,
            status=response.status_code,
            was_found=False,
            request_sha256=request.sha256,
            written=shown,
            differences=differences,
            unwritten=unwritten,
        )

    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        """The request that would be sent."""
        mode = MODES[ref.mode] if ref is not None else self.mode
        stand_in = ref or RecordRef(
            connection=self.instance.config.name, mode=mode.name, id="<new record>", number="", url=""
        )
        request, _ = self._request(outbound, None if outbound.verb is Verb.CREATE else stand_in, mode)
        if request is None:
            return []
        body = f"<{len(request.file.content)} bytes>" if request.file else json.dumps(request.body, ensure_ascii=False)
        query = "&".join(f"{key}={value}" for key, value in (request.params or {}).items())
        url = f"{self.instance.config.url}{request.path}" + (f"?{query}" if query else "")
        return [PreviewRequest(method=request.method, url=url, body=body)]

    # --- traces of earlier attempts ---------------------------------------------------------------------------

    def _trace(self, outbound: Outbound, ref: RecordRef | None, mode: Mode) -> RecordRef | None:
        if outbound.verb is Verb.CREATE:
            rows = self.instance.rows(mode.table, f"correlation_id={correlation(outbound.action_id)}", "sys_id,number", limit=2)
            return self._ref(mode, rows[0]) if rows else None
        if ref is None:
            return None
        searches = {
            Verb.NOTE: ("sys_journal_field", f"element_id={ref.id}^valueLIKE{MARK.format(key=outbound.key)}"),
            Verb.ATTACH: (
                "sys_attachment",
                f"table_sys_id={ref.id}^file_name={outbound.file.name if outbound.file else ''}",
            ),
            Verb.TASK: (mode.task_table, f"correlation_id={correlation(outbound.key)}"),
        }
        if outbound.verb is Verb.LINK:
            linked = self._linked(ref)
            return ref if linked >= set(outbound.trigger_ids[:1]) and linked else None
        table, query = searches.get(outbound.verb, (None, ""))
        if table is None:
            return None
        return ref if self.instance.rows(table, query, "sys_id", limit=1) else None

    def _linked(self, ref: RecordRef) -> set[str]:
        rows = self.instance.rows("sn_cim_inbound_m2m", f"cim_register={ref.id}", "source_id", limit=100)
        return {row["source_id"] for row in rows}

    # --- requests ---------------------------------------------------------------------------------------------

    def _request(
        self, outbound: Outbound, ref: RecordRef | None, mode: Mode
    ) -> tuple[Request | None, dict[str, str]]:
        table = f"/api/now/table/{mode.table}"
        if outbound.verb in (Verb.CREATE, Verb.UPDATE):
            body, unwritten = self.columns(outbound.fields, mode)
            if outbound.verb is Verb.CREATE:
                body["correlation_id"] = correlation(outbound.action_id)
                body["correlation_display"] = "Regelkreis"
                return Request("POST", table, body), unwritten
            if not body or ref is None:
                return None, unwritten
            return Request("PATCH", f"{table}/{ref.id}", body), unwritten
        if ref is None:
            return None, {}
        if outbound.verb is Verb.NOTE:
            text = f"{outbound.text}\n{MARK.format(key=outbound.key)}"
            return Request("PATCH", f"{table}/{ref.id}", {"work_notes": text}), {}
        if outbound.verb is Verb.ATTACH and outbound.file is not None:
            params = {"table_name": mode.table, "table_sys_id": ref.id, "file_name": outbound.file.name}
            return Request("POST", "/api/now/attachment/file", params=params, file=outbound.file), {}
        if outbound.verb is Verb.TASK:
            if mode.task_table is None:
                return None, {"task": "this mode has no tasks"}
            body = {
                mode.task_parent: ref.id,
                "short_description": str(outbound.fields.get("title") or ""),
                "correlation_id": correlation(outbound.key),
            }
            if outbound.fields.get("due"):
                body["due_date"] = f"{outbound.fields['due']} 12:00:00"
            return Request("POST", f"/api/now/table/{mode.task_table}", body), {}
        if outbound.verb is Verb.LINK and mode.name == "cim" and outbound.trigger_ids:
            body = {"cim_register": ref.id, "source_table": "incident", "source_id": outbound.trigger_ids[0]}
            return Request("POST", "/api/now/table/sn_cim_inbound_m2m", body), {}
        return None, {outbound.verb.value: "this mode has no place for it"}

    def columns(self, fields: Mapping[str, str | int | float | None], mode: Mode) -> tuple[dict[str, str], dict[str, str]]:
        """Our fields as columns that resolve on this instance, and what stays unwritten with the reason."""
        body: dict[str, str] = {}
        unwritten: dict[str, str] = {}
        for name, value in fields.items():
            column = self.column(name, mode)
            if column is None:
                if value is not None:
                    unwritten[name] = NEVER.get(name, NO_PLACE)
                continue
            if value is None:
                continue
            text = self._value(name, str(value), mode.table, column)
            if text is None:
                unwritten[name] = f"“{str(value)[:60]}” is not known there"
            else:
                body[column] = text
        return body, unwritten

    def column(self, name: str, mode: Mode) -> str | None:
        """The column of one of our fields: configured, by its usual name, or by its label."""
        known = self.instance.columns(mode.table)
        configured = self.instance.config.columns.get(name)
        if configured in known:
            return configured
        usual, label = mode.columns.get(name, ("", ""))
        if usual in known:
            return usual
        return next((element for element, column in known.items() if label and column.label == label), None)

    def _value(self, name: str, text: str, table: str, column: str) -> str | None:
        definition = self.instance.columns(table)[column]
        if definition.reference == "sys_user":
            return self._only("sys_user", f"user_name={text}")
        if definition.reference == "sys_user_group":
            return self._only("sys_user_group", f"name={text}")
        if definition.reference:
            return self._only(definition.reference, f"name={text}")
        if definition.type in ("decimal", "integer", "float", "percent_complete"):
            match = _NUMBER.search(text)
            return match[0].replace("−", "-") if match else None
        if definition.type == "glide_date_time":
            return f"{text} 12:00:00" if len(text) == 10 else text
        return text

    def _only(self, table: str, query: str) -> str | None:
        rows = self.instance.rows(table, query, "sys_id", limit=2)
        return str(rows[0]["sys_id"]) if len(rows) == 1 else None

    # --- sending ----------------------------------------------------------------------------------------------

    def _send(self, request: Request, outbound: Outbound) -> requests.Response:
        instance = self.instance
        headers = {"Accept": "application/json"}
        data = None
        if request.file is not None:
            headers["Content-Type"] = request.file.media_type
            data = request.file.content
        response = send(
            instance.session, instance.config, request.method, request.path, what=outbound.key, json=request.body,
            data=data, params=request.params, headers=headers,
        )  # fmt: skip
        if response.status_code in REFUSED:
            raise self._refused(response, outbound)
        if not response.ok:
            raise refusal(response, instance.config, outbound.key)
        body = response.json() if response.content else {}
        if body.get("error"):
            raise ConnectionFailed(f"The platform answered {response.status_code} with an error ({outbound.key}): {body['error']}")
        return response

    def _refused(self, response: requests.Response, outbound: Outbound) -> WriteRefused:
        """A refusal for good; a 403 has three causes, told apart by its text."""
        said = platform_message(response, self.instance.config)
        cause, mend = "It refused the write", "Read its message; the write waits in the dead letters."
        if response.status_code == 403:
            lowered = said.lower()
            if "data policy" in lowered:
                cause, mend = "A data policy forbids the write", "Fill the field it names, or exempt the integration user."
            elif "business rule" in lowered:
                cause, mend = "A business rule aborted the write", "Ask its author; it runs for every user."
            else:
                cause, mend = "An access control forbids the write", "Grant the role named in the how-to of ServiceNow."
        return WriteRefused(
            f"{cause} ({outbound.key}, {response.status_code}): {said}", where=Place(connection=self.instance.config.name), mend=mend
        )

    def _ref(self, mode: Mode, row: Mapping[str, Any]) -> RecordRef:
        sys_id = str(row["sys_id"])
        return RecordRef(
            connection=self.instance.config.name,
            mode=mode.name,
            id=sys_id,
            number=str(row.get("number", "")),
            url=f"{self.instance.config.url}/nav_to.do?uri={mode.table}.do?sys_id={sys_id}",
        )

    def _compare(
        self, request: Request, ref: RecordRef, mode: Mode, outbound: Outbound
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Read back what was written: unknown and read-only fields are dropped silently by the platform."""
        if outbound.verb not in (Verb.CREATE, Verb.UPDATE) or not request.body:
            return {}, {}
        rows = self.instance.rows(mode.table, f"sys_id={ref.id}", ",".join(request.body), limit=1)
        if not rows:
            return {}, {"record": "it could not be read back"}
        shown = {column: str(rows[0].get(column, "")) for column in request.body}
        differences = {
            column: f"sent “{sent[:80]}”, found “{shown[column][:80]}”"
            for column, sent in request.body.items()
            if not _same(sent, shown[column])
        }
        return shown, differences


def correlation(key: str) -> str:
    """The text by which a record of ours is found again."""
    return f"rk-{key}"


def _same(sent: str, found: str) -> bool:
    if sent == found:
        return True
    try:
        return float(sent) == float(found)
    except ValueError:
        return sent.replace("\r\n", "\n").strip() == found.replace("\r\n", "\n").strip()
