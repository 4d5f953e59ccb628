"""The Merkle tree of RFC 6962 (section 2.1): hashes, roots, inclusion and consistency proofs.

Leaves are hashed with a 0x00 prefix, nodes with 0x01, so that neither can pass for the other. A *frontier* is the
list of the roots of the perfect subtrees that make up a tree, left to right: enough to append in O(log n).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()
Frontier = tuple[bytes, ...]


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def append(frontier: Frontier, size: int, leaf: bytes) -> Frontier:
    """The frontier after one more leaf hash; ``size`` is the tree's size before."""
    nodes = [*frontier, leaf]
    while size & 1:
        right, left = nodes.pop(), nodes.pop()
        nodes.append(node_hash(left, right))
        size >>= 1
    return tuple(nodes)


def frontier_root(frontier: Frontier, size: int) -> bytes:
    """The root of the tree a frontier stands for."""
    if size == 0:
        return EMPTY_ROOT
    nodes = list(frontier)
    root = nodes.pop()
    while nodes:
        root = node_hash(nodes.pop(), root)
    return root


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    frontier: Frontier = ()
    for size, leaf in enumerate(leaves):
        frontier = append(frontier, size, leaf)
    return frontier_root(frontier, len(leaves))


def roots(leaves: Sequence[bytes], sizes: Iterable[int]) -> dict[int, bytes]:
    """The roots of several tree sizes in one pass; sizes beyond the leaves are left out."""
    wanted = set(sizes)
    frontier: Frontier = ()
    found = {0: EMPTY_ROOT} if 0 in wanted else {}
    for index, leaf in enumerate(leaves):
        frontier = append(frontier, index, leaf)
        if index + 1 in wanted:
            found[index + 1] = frontier_root(frontier, index + 1)
    return found


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of RFC 6962 §2.1.1 for the leaf at ``index``, bottom up."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} is not in a tree of {len(leaves)}")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root(leaves[:split])]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether the proof leads from the leaf at ``index`` to the root of a tree of ``size``."""
    if not 0 <= index < size:
        return False
    position, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and node == expected


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """The proof of RFC 6962 §2.1.2 that the tree of ``first`` leaves is a prefix of this one."""
    if not 0 < first <= len(leaves):
        raise IndexError(f"no tree of {first} within {len(leaves)} leaves")
    return [] if first == len(leaves) else _subproof(leaves, first, True)


def _subproof(leaves: Sequence[bytes], first: int, is_whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if is_whole else [root(leaves)]
    split = _split(len(leaves))
    if first <= split:
        return [*_subproof(leaves[:split], first, is_whole), root(leaves[split:])]
    return [*_subproof(leaves[split:], first - split, False), root(leaves[:split])]


def verify_consistency(first: int, second: int, old: bytes, new: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree (first, old) is a prefix of (second, new)."""
    if first == second:
        return old == new and not proof
    if not 0 < first < second or not proof:
        return False
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, old)
    position, last = first - 1, second - 1
    while position & 1:
        position >>= 1
        last >>= 1
    from_old = from_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            from_old, from_new = node_hash(sibling, from_old), node_hash(sibling, from_new)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            from_new = node_hash(from_new, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and from_old == old and from_new == new


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``."""
    return 1 << (size - 1).bit_length() - 1
