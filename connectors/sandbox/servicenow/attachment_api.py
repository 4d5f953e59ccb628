"""The Attachment API: list, read, download, upload raw or multipart, delete."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from connectors.sandbox.multipart import parts_of
from connectors.sandbox.query import parse
from connectors.sandbox.servicenow import access
from connectors.sandbox.servicenow.errors import ApiError, acl, invalid_table, json_response
from connectors.sandbox.servicenow.presenting import shaper
from connectors.sandbox.servicenow.selecting import select
from connectors.sandbox.servicenow.table_api import TableApi, base_url, link_header, page_of
from connectors.sandbox.store import Row
from connectors.sandbox.users import Account

TABLE = "sys_attachment"
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\"]")


@dataclass(frozen=True, slots=True)
class Target:
    """What a file is attached to, and under which name."""

    table: str
    sys_id: str
    file_name: str


class AttachmentApi:
    """Handlers of ``/api/now/attachment``. Who may change a record may attach to it; who attached may delete."""

    def __init__(self, tables: TableApi) -> None:
        self.tables = tables
        self.instance = tables.instance

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """All routes, in both versions of the path."""
        guarded = self.tables.guarded
        for root in ("/api/now/attachment", "/api/now/v1/attachment"):
            yield web.get(root, guarded(self.list_files))
            yield web.post(f"{root}/file", guarded(self.upload_raw))
            yield web.post(f"{root}/upload", guarded(self.upload_multipart))
            yield web.get(f"{root}/{{sys_id}}", guarded(self.read))
            yield web.get(f"{root}/{{sys_id}}/file", guarded(self.download))
            yield web.delete(f"{root}/{{sys_id}}", guarded(self.delete))

    async def list_files(self, request: web.Request, account: Account) -> web.Response:
        """``GET /attachment?sysparm_query=…``."""
        page = page_of(request)
        selection = select(
            self.instance,
            TABLE,
            parse(page.query),
            self.tables.asker(account),
            offset=page.offset,
            limit=page.limit,
        )
        shape = shaper(self.instance, self.instance.tables[TABLE], self.tables.view(request, account))
        shown = self.tables.without_hidden(selection.chunks, account)
        records = [record for _, rows in shown for record in shape(rows)]
        headers = {"X-Total-Count": str(selection.total)}
        return json_response(
            {"result": records},
            headers=headers | link_header(request, page, selection.total, has_more=selection.has_more),
        )

    async def read(self, request: web.Request, account: Account) -> web.Response:
        """``GET /attachment/{sys_id}``: the description."""
        return self.tables.record(request, account, self.instance.tables[TABLE], self._row(request, account))

    async def download(self, request: web.Request, account: Account) -> web.Response:
        """``GET /attachment/{sys_id}/file``: the content."""
        row = self._row(request, account)
        table = self.instance.tables[TABLE]
        name = self.instance.value(table, row, "file_name")
        return web.Response(
            body=self.instance.contents[row[0]],
            headers={
                "Content-Type": self.instance.value(table, row, "content_type"),
                "Content-Disposition": f'attachment;filename="{_UNPRINTABLE.sub("_", name)}"',
            },
        )

    async def upload_raw(self, request: web.Request, account: Account) -> web.Response:
        """``POST /attachment/file?table_name=&table_sys_id=&file_name=`` with the content as body."""
        target = Target(*(request.query.get(name, "") for name in ("table_name", "table_sys_id", "file_name")))
        return self._store(request, account, target, request.content_type, await request.read())

    async def upload_multipart(self, request: web.Request, account: Account) -> web.Response:
        """``POST /attachment/upload``: multipart form with table_name, table_sys_id and the file as last part."""
        if "boundary" not in request.headers.get("Content-Type", ""):
            raise ApiError(
                400,
                "Failed to create the attachment",
                "the request was rejected because no multipart boundary was found",
            )
        fields: dict[str, str] = {}
        for part in await parts_of(request):
            if part.file_name is None:
                fields[part.name] = part.content.decode(errors="replace")
                continue
            target = Target(fields.get("table_name", ""), fields.get("table_sys_id", ""), part.file_name)
            return self._store(request, account, target, part.media_type, part.content)
        raise ApiError(400, "Failed to create the attachment", "No file found in the request")

    async def delete(self, request: web.Request, account: Account) -> web.Response:
        """``DELETE /attachment/{sys_id}`` → 204."""
        row = self._row(request, account)
        table = self.instance.tables[TABLE]
        if not account.is_admin and self.instance.value(table, row, "sys_created_by") != account.username:
            raise acl("Delete")
        table.remove(row[0])
        self.instance.contents.pop(row[0], None)
        return web.Response(status=204)

    def _row(self, request: web.Request, account: Account) -> Row:
        return self.tables.visible_record(TABLE, request.match_info["sys_id"], account)[1]

    def _store(
        self, request: web.Request, account: Account, target: Target, media_type: str, content: bytes
    ) -> web.Response:
        if not target.table or not target.sys_id or not target.file_name:
            raise ApiError(400, "Required parameters missing", "table_name, table_sys_id and file_name are required")
        if not self.instance.has_table(target.table):
            raise invalid_table(target.table)
        table, _ = self.tables.visible_record(target.table, target.sys_id, account)
        if not access.may_write(self.instance, account, table.name):
            raise acl("Insert")
        attachment_id = self.instance.new_id(TABLE)
        values = {
            "file_name": target.file_name,
            "content_type": media_type,
            "size_bytes": str(len(content)),
            "size_compressed": str(len(zlib.compress(content, 1))),
            "table_name": target.table,
            "table_sys_id": target.sys_id,
            "hash": hashlib.sha256(content).hexdigest(),
            "download_link": f"{base_url(request)}/api/now/attachment/{attachment_id}/file",
        }
        row = self.instance.insert(TABLE, values, by=account.username, sys_id=attachment_id)
        self.instance.contents[attachment_id] = content
        return self.tables.record(request, account, self.instance.tables[TABLE], row, status=201)
