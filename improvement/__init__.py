"""The domain: metrics, rules, the loop, the check, evidence. It knows no database, no web and no HTTP."""

import zoneinfo

# Zones of the pinned package, whatever the machine has: DuckDB brings the same, and both have to name the same days.
zoneinfo.reset_tzpath(())
