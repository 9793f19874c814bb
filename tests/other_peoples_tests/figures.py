"""Counts by group, and failures by cause."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from .reasons import REASONS, reason

#: What differs between messages of one cause: numbers, shapes, addresses, and what is in quotes
#: after a colon is kept.
_VARYING = re.compile(r"0x[0-9a-f]+|\b\d+(\.\d+)?(e[-+]?\d+)?\b")


def cause(outcome: dict[str, Any]) -> str:
    """Return an outcome's cause without the numbers in it."""
    return _VARYING.sub("#", outcome["cause"])[:160]


def figures(outcomes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return, as data for JSON: for each group the counts, for each cause its count and groups.

    Failures that have a reason are counted by it, and are none of the causes.
    """
    groups: dict[str, Counter] = defaultdict(Counter)
    causes: dict[str, Counter] = defaultdict(Counter)
    for outcome in outcomes:
        groups[outcome["group"]][outcome["outcome"]] += 1
        if outcome["outcome"] in ("failed", "not loaded"):
            why = reason(outcome)
            if why:
                groups[outcome["group"]][why] += 1
                continue
            causes[cause(outcome)][outcome["group"]] += 1
    by_count = sorted(causes.items(), key=lambda item: -sum(item[1].values()))
    return {
        "groups": {name: dict(count) for name, count in groups.items()},
        "causes": [
            {"cause": text, "count": sum(count.values()), "groups": dict(count)}
            for text, count in by_count
        ],
    }


def table(found: dict[str, Any], most: int) -> str:
    """Return figures as text: a line for each group, and the most frequent causes.

    The last share is that of tests without those whose failures have a reason.
    """
    head = "".join([f"{key:>9}" for key in REASONS])
    names = f"{'group':24}{'passed':>8}{'failed':>8}{'skipped':>9}{'share':>8}"
    lines = [f"{names}{head}{'without':>9}"]
    for name, count in found["groups"].items():
        passed, failed = count.get("passed", 0), count.get("failed", 0) + count.get("not loaded", 0)
        explained = [count.get(key, 0) for key in REASONS]
        shares = [
            f"{passed / n:8.1%}" if n else ""
            for n in (passed + failed, passed + failed - sum(explained))
        ]
        lines.append(
            f"{name:24}{passed:8}{failed:8}{count.get('skipped', 0):9}{shares[0]}"
            f"{''.join([f'{n:9}' for n in explained])} {shares[1]}"
        )
    lines.append("")
    for entry in found["causes"][:most]:
        lines.append(f"{entry['count']:6}  {entry['cause']}  [{', '.join(entry['groups'])}]")
    return "\n".join(lines)
