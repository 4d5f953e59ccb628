"""Breached clocks one by one: what became of each, whose time the overrun was, what the rules say of it."""
