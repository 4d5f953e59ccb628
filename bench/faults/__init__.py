"""`make faults`: each trap of the sandbox × each connector × what it reads and writes, and what came of it."""
