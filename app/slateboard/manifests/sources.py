"""Which manifest said a thing, as far as one can still speak of it.

The rows of rules have a `source` like `EventPipeline/release`. What was made by hand has none. A source that no
manifest can have (one that a program made up, or the AgentConfig of an agent that was removed) is as good as none:
what is by hand and exactly as a manifest says is left alone by it, and anything else of the same name is refused.
"""

from __future__ import annotations

LIVE = """
SELECT FROM agents g WHERE g.board = {row}.board AND g.name = substr({row}.source, 13) AND g.removed_at IS NULL
"""
EFFECTIVE = f"""
CASE WHEN {{row}}.source ~ '^(EventPipeline|RoutingTable|CircuitBreaker|Compensation)/[a-z0-9][a-z0-9_-]{{{{0,62}}}}$'
       OR {{row}}.source LIKE 'AgentConfig/%' AND EXISTS ({LIVE}) THEN {{row}}.source END
"""
"""The source of a row, by its alias: `EFFECTIVE.format(row="s")`; null where it is by hand."""
