"""Refusals as the instance words them."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web


class ApiError(Exception):
    """An answer that is not 2xx: status, message and detail of the error body."""

    def __init__(self, status: int, message: str, detail: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.detail = detail

    def response(self) -> web.Response:
        """The error as the Table API answers it."""
        body = {"error": {"message": self.message, "detail": self.detail}, "status": "failure"}
        headers = {"WWW-Authenticate": 'BASIC realm="Service-now"'} if self.status == 401 else {}
        return json_response(body, status=self.status, headers=headers)


def json_response(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    response = web.Response(body=msgspec.json.encode(body), status=status, headers=headers)
    response.content_type = "application/json"
    response.charset = "UTF-8"
    return response


def not_authenticated() -> ApiError:
    """No or wrong credentials."""
    return ApiError(401, "User Not Authenticated", "Required to provide Auth information")


def invalid_table(name: str) -> ApiError:
    """The instance has no such table."""
    return ApiError(400, f"Invalid table {name}")


def no_record() -> ApiError:
    """The record does not exist, or the user must not see it."""
    return ApiError(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def acl(operation: str) -> ApiError:
    """An access control forbids the operation (Query, Insert, Update, Delete)."""
    return ApiError(403, "Operation Failed", f"ACL Exception {operation} Failed due to security constraints")


def business_rule(table: str, rule: str, sys_id: str, message: str) -> ApiError:
    """A business rule aborted the operation."""
    return ApiError(
        403,
        "Operation Failed",
        f"Operation against file '{table}' was aborted by Business Rule '{rule}^{sys_id}'. Error: {message}",
    )


def data_policy(fields: str) -> ApiError:
    """A data policy demands fields."""
    return ApiError(403, "Operation Failed", f"Data Policy Exception:\n The following fields are mandatory: {fields}")
