"""Platforms that say when something changed: hints, and how to set them up on both sides."""
