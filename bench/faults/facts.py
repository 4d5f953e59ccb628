"""What is known of records, to be held against what somebody else knows of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from improvement.records import RecordKind

Fact = tuple[Any, ...]  # the id first, then the columns of holdings.py
Facts = dict[RecordKind, Counter[Fact]]
