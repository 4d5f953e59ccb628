"""When an action is read: looks after go-live and after *standardise*, half-yearly ones; how long a review may wait."""

from __future__ import annotations

LOOKS = (4, 8, 13)
"""Weeks after go-live (sustaining: after the decision) where neither rule nor plan says otherwise."""
SUSTAIN_EVERY_WEEKS = 26
"""After the last sustaining look, for as long as the action is kept."""
GRACE_DAYS = 14
"""A review not held so long after it was due is missed."""
