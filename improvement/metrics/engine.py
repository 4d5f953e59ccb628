"""Ibis, loaded when a metric is first computed: pages name metrics, but never compute one."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class _Ibis:
    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("ibis"), name)


ibis: Any = _Ibis()
