"""Rules as people handle them: write, check, test, replay, compare, explain, apply; which live, which targets hold."""
