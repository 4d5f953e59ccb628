"""Contacts, surveys and outages from files, for platforms that have none: read strictly, all or nothing."""
