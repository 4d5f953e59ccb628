"""Approvals of requests: entering a status asks people, the first answer decides, a decline sends the request back.

Whom a request asks, how many have to agree and where an answer leads is what an administrator configures on a Jira;
here everybody with the role *approver* is asked, one is enough, and *Approved* or *To Do* follows.
"""

from __future__ import annotations

from connectors.sandbox.jira import values
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.calls import Call
from connectors.sandbox.jira.catalogue import APPROVED, BACKLOG, WAITING
from connectors.sandbox.jira.model import Approval, HistoryItem, Issue

PENDING = "pending"
OUTCOMES = {"approve": ("approved", APPROVED), "decline": ("declined", BACKLOG)}


def moved(call: Call, issue: Issue) -> None:
    """A request came into its status by hand: ask, or take back what nobody answered."""
    if issue.status is WAITING:
        asked = {account.name: PENDING for account in call.site.directory.approvers()}
        issue.more().approvals.append(Approval(str(next(call.site.ids)), call.site.now, asked))
    elif issue.extras is not None:
        issue.extras.approvals = [one for one in issue.extras.approvals if one.final != PENDING]


def may_answer(approval: Approval, account: Account | None) -> bool:
    """Whether this person is asked and has not answered yet."""
    return account is not None and approval.final == PENDING and approval.decisions.get(account.name) == PENDING


def answer(call: Call, issue: Issue, approval: Approval, account: Account, decision: str) -> None:
    """Decide, and move the request where the answer leads."""
    said, status = OUTCOMES[decision]
    approval.decisions[account.name] = approval.final = said
    approval.completed = call.site.now
    before = issue.status
    issue.status = status
    change = HistoryItem("status", "status", False, before.id, before.name, status.id, status.name)
    values.record(call, issue, account.name, [change])
    call.site.touch(issue)
