"""Connecting a platform: a mapping proposed from what it shows and written where a person edits it; its rights."""
