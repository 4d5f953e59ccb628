"""What goes out to platforms: queued with the change that causes it, told in words, kept when it cannot be sent."""
