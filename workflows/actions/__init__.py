"""Improvement actions: opened, planned, moved through the loop under its guards, judged by people."""
