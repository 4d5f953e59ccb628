"""The append-only log: entries are leaves of one Merkle tree, numbered without gaps."""

from __future__ import annotations

from django.db import models


class LedgerEntry(models.Model):
    """One canonical entry. Database triggers refuse UPDATE and DELETE on this table."""

    index = models.BigIntegerField(primary_key=True)
    type = models.CharField(max_length=40, db_index=True)
    subject = models.CharField(max_length=200, db_index=True)
    data = models.BinaryField()  # the RFC 8785 form, exactly the bytes that were hashed
    leaf_hash = models.BinaryField()

    class Meta:
        ordering = ["index"]

    def __str__(self) -> str:
        return f"{self.index} {self.type}"


class LedgerHead(models.Model):
    """The single, locked row that hands out leaf numbers; ``frontier`` allows appending in O(log n)."""

    id = models.IntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)
    frontier = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"ledger head at {self.size}"


class Checkpoint(models.Model):
    """A signed statement of the tree's size and root, made after every cycle."""

    size = models.BigIntegerField(primary_key=True)
    note = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["size"]

    def __str__(self) -> str:
        return f"checkpoint at {self.size}"


class ErasableText(models.Model):
    """Free text and personal data whose salted SHA-256 is in the ledger; deleting the row is the erasure."""

    digest = models.CharField(max_length=64, primary_key=True)
    salt = models.CharField(max_length=64)
    text = models.TextField()

    def __str__(self) -> str:
        return self.digest[:12]
