"""How many of everything: the counts of the public data set, scaled to the wanted number of orders.

Orders are numbered in blocks of one status; within a block the first orders carry the quirks that belong to
that status. Everything else is handed out by shuffles `(number * step + shift) % size`, so that each count is
exact and nothing has to be sorted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd

FULL_ORDERS = 99_441
"""The number of orders of the public data set, to which all counts below belong."""

SMALL = 2_000
"""From this many orders on, every quirk is there at least once."""

FULL_ZIPS = 19_015
FULL_POINTS = 1_000_163

STATUS_BLOCKS = (
    ("canceled", False, 164),
    ("unavailable", False, 603),
    ("created", False, 5),
    ("invoiced", False, 2),
    ("shipped", False, 1),
    ("canceled", True, 461),
    ("unavailable", True, 6),
    ("approved", True, 2),
    ("invoiced", True, 312),
    ("processing", True, 301),
    ("shipped", True, 1_106),
)
"""Status, has items, orders; all others are delivered."""

DELIVERED_QUIRKS = (
    ("in_2016_12", 1),
    ("no_approval", 14),
    ("no_carrier", 2),
    ("no_door", 8),
    ("late_approved", 1_350 - 165),
    ("early_carrier", 165),
    ("early_door", 23),
    ("unpaid", 1),
)
"""Consecutive ranges of delivered orders; `<name>` is the first and `<name>_end` the one after the last."""

COUNTS = {
    "in_2016_09": 3,
    "in_2018_09": 15,
    "in_2018_10": 4,
    "never_approved": 141,
    "undefined": 3,
    "no_instalments": 2,
    "zero_vouchers": 6,
    "unreviewed": 768,
    "twice": 547,
    "thrice": 4,
    "lost_buyers": 278,
    "lost_sellers": 7,
    "dirty_cities": 24,
    "ghost_zips": 157,
    "no_category": 610,
    "pc_gamer": 3,
    "portateis": 10,
    "unmeasured": 2,
    "weightless": 4,
    "foreign_points": 27,
    "free_baskets": 383,
    "odd_limits": 3,
}

MOVERS = 0.09
"""The share of later orders that go to another address of the same person."""

PEOPLE = ((17, 1), (9, 1), (7, 3), (6, 6), (5, 8), (4, 30), (3, 203), (2, 2_745))
BASKETS = (
    (21, 1), (20, 2), (15, 2), (14, 2), (13, 1), (12, 5), (11, 4), (10, 8), (9, 3), (8, 8), (7, 22),
    (6, 198), (5, 204), (4, 505), (3, 1_322), (2, 7_516),
)  # fmt: skip
PAYMENTS = (
    (29, 1), (26, 1), (22, 1), (21, 1), (19, 2), (15, 2), (14, 2), (13, 3), (12, 8), (11, 8), (10, 5), (9, 9),
    (8, 11), (7, 28), (6, 36), (5, 52), (4, 108), (3, 301), (2, 2_382),
)  # fmt: skip
"""Orders of a person, items of a basket, payment rows of an order: size and how many; all others have one."""

TOLD_REVIEWS = 4
"""Reviews that show the oddities of free text, one each (see 08_reviews.sql)."""


@dataclass(frozen=True)
class Block:
    """Numbers `first` up to but not including `last`; `size` is what they have in common."""

    first: int
    last: int
    size: int


@dataclass(frozen=True)
class Plan:
    """The counts of one sample: SQL variables, the blocks of statuses, and the look-ups of sizes."""

    variables: dict[str, int]
    statuses: list[tuple[str, bool, int, int]]
    sizes: dict[str, list[Block]]


def make_plan(orders: int, seed: int) -> Plan:
    """Scale the counts of the public data to `orders`."""
    statuses = _statuses(orders)
    delivered = statuses[-1][3] - statuses[-1][2]
    itemless = sum(last - first for _, has_items, first, last in statuses if not has_items)
    counts = {name: scaled(full, orders) for name, full in COUNTS.items()}
    counts |= _ranges(DELIVERED_QUIRKS, orders)
    counts["told"] = counts["unpaid_end"]
    counts["told_count"] = TOLD_REVIEWS if orders >= SMALL else 0
    counts |= _sizes_of_things(orders, itemless, delivered)
    sizes = {
        "person": _blocks(PEOPLE, orders, orders, weighted=True),
        "basket": _blocks(BASKETS, orders, counts["baskets"], weighted=False),
        "pay": _blocks(PAYMENTS, orders, orders, weighted=False),
    }
    counts["zero_vouchers_from"] = next((b.first for b in sizes["pay"] if b.size == 3), orders)
    counts["odd_bills"] = sizes["basket"][-1].first
    counts["odd_bills_end"] = counts["odd_bills"] + scaled(303, orders)
    canceled = next(last - first for status, items, first, last in statuses if status == "canceled" and items)
    counts["canceled_on_road"] = canceled - scaled(75, orders)
    counts["canceled_at_door"] = canceled - scaled(6, orders)
    return Plan(counts | _shuffles(counts, seed), statuses, sizes)


def scaled(full: int, orders: int) -> int:
    """Return the share of a full-scale count; from `SMALL` orders on at least one."""
    return max((full * orders * 2 + FULL_ORDERS) // (FULL_ORDERS * 2), int(orders >= SMALL))


def _sizes_of_things(orders: int, itemless: int, delivered: int) -> dict[str, int]:
    ghosts = max(scaled(157, orders), 1)
    zips = min(FULL_ZIPS, max(_share(FULL_ZIPS, orders), min(3 * orders, 250)))
    sellers = max(_share(3_095, orders), 1)
    products = max(_share(32_951, orders), sellers)
    return {
        "orders": orders,
        "itemless": itemless,
        "baskets": orders - itemless,
        "delivered": delivered,
        "real_zips": zips,
        "all_zips": zips + ghosts,
        "ghost_zips": ghosts,
        "points": max(_share(FULL_POINTS, orders), zips),
        "sellers": sellers,
        "products": products,
        "zip_slots": 1 << 18,
        "seller_slots": max(1 << 16, 16 * sellers),
        "rare_from": sum(scaled(COUNTS[name], orders) for name in ("no_category", "pc_gamer", "portateis")),
        "product_slots": max(1 << 18, 16 * products),
    }


def _share(full: int, orders: int) -> int:
    return (full * orders * 2 + FULL_ORDERS) // (FULL_ORDERS * 2)


def _statuses(orders: int) -> list[tuple[str, bool, int, int]]:
    blocks: list[tuple[str, bool, int, int]] = []
    at = 0
    for status, has_items, full in STATUS_BLOCKS:
        end = at + scaled(full, orders)
        blocks.append((status, has_items, at, end))
        at = end
    return [*blocks, ("delivered", True, at, orders)]


def _ranges(quirks: Iterable[tuple[str, int]], orders: int) -> dict[str, int]:
    ranges: dict[str, int] = {}
    at = 0
    for name, full in quirks:
        ranges[name] = at
        at += scaled(full, orders)
        ranges[f"{name}_end"] = at
    return ranges


def _blocks(sizes: Iterable[tuple[int, int]], orders: int, total: int, *, weighted: bool) -> list[Block]:
    """Lay the sizes out from 0 to `total`, the biggest first; `weighted`: a member of size n takes n numbers."""
    blocks: list[Block] = []
    at = 0
    for size, full in sizes:
        members = scaled(full, orders) if size <= 3 else _share(full, orders)
        end = at + members * (size if weighted else 1)
        if at < end <= total:
            blocks.append(Block(at, end, size))
            at = end
    return [*blocks, Block(at, total, 1)]


def _shuffles(counts: dict[str, int], seed: int) -> dict[str, int]:
    over = {
        "person": counts["orders"],
        "pay": counts["orders"],
        "review": counts["orders"],
        "basket": counts["baskets"],
        "debut": counts["baskets"],
        "seller": counts["sellers"],
        "point": counts["points"],
    }
    variables: dict[str, int] = {}
    for name, size in over.items():
        step, shift = _shuffle(name, size, seed)
        variables |= {f"{name}_step": step, f"{name}_shift": shift}
    return variables


def _shuffle(name: str, size: int, seed: int) -> tuple[int, int]:
    """Return a step without a common factor with `size`, and a shift: together they permute 0..size-1."""
    digest = hashlib.md5(f"{seed}|shuffle|{name}".encode(), usedforsecurity=False).digest()
    step = max(1, int(size * (0.3 + int.from_bytes(digest[:4], "big") / 2**32 * 0.4)))
    while gcd(step, size) != 1:
        step += 1
    return step, int.from_bytes(digest[4:12], "big") % size
