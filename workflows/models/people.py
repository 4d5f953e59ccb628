"""Who may do what: people, their grants, tokens, and their accounts on the platforms."""

from __future__ import annotations

import hashlib
import secrets

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    """What a grant allows; a person may hold several, each limited to a part of the organisation."""

    VIEWER = "viewer", "viewer"
    SERVICE_OWNER = "service-owner", "service owner"
    APPROVER = "approver", "approver"
    ADMIN = "admin", "admin"
    AUDITOR = "auditor", "auditor"


def new_uid() -> str:
    """A pseudonymous id: the only trace of a person in the ledger."""
    return f"p-{secrets.token_hex(6)}"


class Person(AbstractUser):
    """A user of Regelkreis. ``uid`` stands for them in the ledger; name and e-mail stay in this table."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    language = models.CharField(max_length=5, default="en")
    is_local_admin = models.BooleanField(default=False)  # made by `init`; cannot approve a plan of its own

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    def has_role(self, role: Role) -> bool:
        """Whether any grant of this role exists, wherever it applies."""
        return self.grants.filter(role=role).exists()


class Grant(models.Model):
    """A role, limited to a customer, service or country where these are not empty."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=20, choices=Role.choices)
    connection = models.CharField(max_length=64, blank=True)
    customer = models.CharField(max_length=255, blank=True)
    service = models.CharField(max_length=255, blank=True)
    country = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "role", "connection", "customer", "service", "country"], name="grant_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person.username}: {self.role}"

    def covers(self, connection: str, scope: dict[str, str]) -> bool:
        """Whether this grant's limits hold the scope."""
        limits = {"customer": self.customer, "service": self.service, "country": self.country}
        if self.connection and self.connection != connection:
            return False
        return all(not wanted or scope.get(key) == wanted for key, wanted in limits.items())

    @property
    def narrowness(self) -> int:
        """How many limits are set: the narrowest grant names the owner."""
        return sum(1 for limit in (self.connection, self.customer, self.service, self.country) if limit)


class Token(models.Model):
    """A personal token for the command line and the API; only its SHA-256 is kept."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True)
    label = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"token of {self.person.username} ({self.label})"

    @staticmethod
    def digest_of(secret: str) -> str:
        """The SHA-256 under which a token is stored."""
        return hashlib.sha256(secret.encode()).hexdigest()


class Identity(models.Model):
    """Which platform account is which person; the integration user is in no row."""

    connection = models.CharField(max_length=64)
    account = models.CharField(max_length=255)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="identities")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "account"], name="identity_once")]

    def __str__(self) -> str:
        return f"{self.account} on {self.connection}"
