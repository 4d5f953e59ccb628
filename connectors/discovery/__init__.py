"""What a platform's own fields could be mapped from: asked politely, judged by name, coverage and sample values."""

from connectors.discovery.proposing import FieldProposal, SourceProposal, propose
from connectors.discovery.sampling import Candidate, Discovers, SourceSample

__all__ = ["Candidate", "Discovers", "FieldProposal", "SourceProposal", "SourceSample", "propose"]
