"""A Jira of our own: Cloud and Data Center REST APIs (version 2 and 3) with Jira Service Management, for the sandbox.

The same site renders both flavours; what differs (search, users, documents) is decided by :class:`Flavour`.
"""
