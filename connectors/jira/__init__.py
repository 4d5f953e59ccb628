"""Jira (Cloud, Data Center, Service Management): the ``jira`` library's session for bulk reads, its calls for writes.

Its ``Issue`` objects cost 25 KB each, so pages are read with our own loop and decoded by type straight into columns.
Its own retries are switched off: they repeat a POST after a reset and create the issue twice.
"""
