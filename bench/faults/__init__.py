"""`make faults`: each trap of the sandbox × each connector × pull and write, and what came of it."""
