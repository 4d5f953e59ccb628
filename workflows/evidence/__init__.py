"""The append-only log: written, verified, and held against the rows of the state."""
