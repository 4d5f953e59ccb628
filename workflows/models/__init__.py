"""The state: one file a room."""

from __future__ import annotations

from workflows.models.actions import Action, ActionComment, ActionTask, Chart, MarkedChange, Origin, Plan, Transition
from workflows.models.comparisons import ScopeChart
from workflows.models.connections import Connection, Hint, PullCursor, PullReport, RejectedRecord
from workflows.models.findings import Evaluation, Finding, Point, RuleVersion, UntreatedLine
from workflows.models.installation import Installation, our_installation
from workflows.models.kept import KeptFigures
from workflows.models.ledger import Checkpoint, ErasableText, LedgerEntry, LedgerHead
from workflows.models.outbox import Delivery, DeliveryState
from workflows.models.people import Grant, Identity, Person, Role, Token
from workflows.models.pinned import PinnedRows
from workflows.models.reviews import Look, LookKind, ReviewEntry, ReviewRecord

__all__ = [
    "Action",
    "ActionComment",
    "ActionTask",
    "Chart",
    "Checkpoint",
    "Connection",
    "Delivery",
    "DeliveryState",
    "ErasableText",
    "Evaluation",
    "Finding",
    "Grant",
    "Hint",
    "Identity",
    "Installation",
    "KeptFigures",
    "LedgerEntry",
    "LedgerHead",
    "Look",
    "LookKind",
    "MarkedChange",
    "Origin",
    "Person",
    "PinnedRows",
    "Plan",
    "Point",
    "PullCursor",
    "PullReport",
    "RejectedRecord",
    "ReviewEntry",
    "ReviewRecord",
    "Role",
    "RuleVersion",
    "ScopeChart",
    "Token",
    "Transition",
    "UntreatedLine",
    "our_installation",
]
