"""Pure rules of the dependency graph: finding a circle among edges that are not in the database yet."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def find_cycle(blockers: Mapping[Node, Sequence[Node]]) -> list[Node] | None:
    """A circle in the graph `item → what it is blocked by`, first node repeated at the end; None if there is none."""
    finished: set[Node] = set()
    for start in blockers:
        if start in finished:
            continue
        path: list[Node] = [start]
        on_path = {start}
        branches = [iter(blockers[start])]
        while branches:
            following = next(branches[-1], None)
            if following is None:
                finished.add(path[-1])
                on_path.discard(path.pop())
                branches.pop()
            elif following in on_path:
                return [*path[path.index(following) :], following]
            elif following in blockers and following not in finished:
                path.append(following)
                on_path.add(following)
                branches.append(iter(blockers[following]))
    return None
