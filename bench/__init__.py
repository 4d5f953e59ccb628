"""Measurements: what `make bench` and `make bench-check` run."""
