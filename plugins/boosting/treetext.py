"""Trims LightGBM's text format to the parts that scoring needs, and checks it before LightGBM reads it.

LightGBM's reader is C++ that trusts its input: a damaged or hostile text can crash the process or loop for ever. So
this module first checks every number of lines, nodes and children. It drops the parts that scoring does not need: the
parameters, and each feature's smallest and largest value, which can be one person's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from plugins.sdk import BadArtifactError

MAX_TREES = 5_000
MAX_LEAVES = 4_096
MAX_VALUE = 1e4
END = "end of trees"
HEADER = ("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective")
HEADER_LISTS = ("feature_names", "monotone_constraints", "feature_infos", "tree_sizes")
PER_SPLIT_INTEGERS = ("split_feature", "decision_type", "left_child", "right_child", "internal_count")
PER_SPLIT = (*PER_SPLIT_INTEGERS, "split_gain", "threshold", "internal_value", "internal_weight")
PER_LEAF = ("leaf_value", "leaf_weight", "leaf_count")
SCALARS = ("num_leaves", "num_cat", "is_linear", "shrinkage")
CATEGORICAL = ("cat_boundaries", "cat_threshold")
NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|-?inf", re.ASCII | re.IGNORECASE)
MAX_DECISION = 15
IS_CATEGORICAL = 1


def column_names(columns: int) -> list[str]:
    """Return column names for the text. The features' own names may contain blanks; the model's JSON has them."""
    return [f"f{index}" for index in range(columns)]


def trim(text: str) -> str:
    """Return the header and the trees of a LightGBM model, without feature ranges, importances and parameters."""
    model_text = text[: text.index(f"\n{END}\n")] + f"\n{END}\n"
    lines = model_text.split("\n")
    for index, line in enumerate(lines):
        if line.startswith("feature_infos="):
            lines[index] = "feature_infos=" + " ".join("none" for _ in line.removeprefix("feature_infos=").split(" "))
            break
    return "\n".join(lines)


def check(content: bytes, columns: int) -> int:
    """Check that a text is exactly what :func:`trim` returns for a binary model of ``columns`` features.

    Returns:
        The number of trees.

    Raises:
        BadArtifactError: a section is wrong; the error names the section and the fault.
    """
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError as error:
        message = "the trees are not plain text"
        raise BadArtifactError(message) from error
    head, separator, rest = text.partition("\n\n")
    sizes = _check_header(head, columns)
    body = rest.encode()
    if not separator or len(body) < sum(sizes):
        message = "the trees are cut short"
        raise BadArtifactError(message)
    start = 0
    for number, size in enumerate(sizes):
        _check_tree(body[start : start + size].decode(), number, columns)
        start += size
    if body[start:].decode().strip("\n") != END:
        message = "there is unexpected text after the trees"
        raise BadArtifactError(message)
    return len(sizes)


def _pairs(lines: Sequence[str], where: str, allowed: Sequence[str]) -> dict[str, str]:
    pairs_read: dict[str, str] = {}
    for line in lines:
        key, separator, value = line.partition("=")
        if not separator or key not in allowed or key in pairs_read:
            message = f"{where} has an unexpected line: {line[:40]!r}"
            raise BadArtifactError(message)
        pairs_read[key] = value
    return pairs_read


def _check_header(head: str, columns: int) -> list[int]:
    first, *lines = head.split("\n")
    pairs = _pairs(lines, "the header of the trees", (*HEADER, *HEADER_LISTS))
    expected = {
        "version": "v4",
        "num_class": "1",
        "num_tree_per_iteration": "1",
        "label_index": "0",
        "max_feature_idx": str(columns - 1),
        "objective": "binary sigmoid:1",
        "feature_names": " ".join(column_names(columns)),
        "feature_infos": " ".join(["none"] * columns),
    }
    for key, value in expected.items():
        if pairs.get(key) != value:
            value_text = pairs.get(key, "")[:40]
            message = f"the header of the trees says {key}={value_text!r}: it is not a model of {columns} features"
            raise BadArtifactError(message)
    if first != "tree" or not set(pairs.get("monotone_constraints", "0").split(" ")) <= {"-1", "0", "1"}:
        message = "the header of the trees is not LightGBM's"
        raise BadArtifactError(message)
    sizes = [int(size) for size in _numbers(pairs.get("tree_sizes", ""), "tree_sizes", integers=True)]
    if not 0 < len(sizes) <= MAX_TREES or min(sizes) <= 0:
        message = f"there must be 1 to {MAX_TREES} trees"
        raise BadArtifactError(message)
    return sizes


def _numbers(text: str, where: str, *, integers: bool = False) -> np.ndarray:
    words = text.split(" ") if text else []
    for word in words:
        if not NUMBER.fullmatch(word) or len(word) > 40:  # noqa: PLR2004 - longer than any float is written
            message = f"{where} holds something that is not a number"
            raise BadArtifactError(message)
    try:
        return np.array(words, dtype=np.int64 if integers else np.float64)
    except (ValueError, OverflowError) as error:
        message = f"{where} holds a number that is out of range"
        raise BadArtifactError(message) from error


def _check_tree(text: str, number: int, columns: int) -> None:
    where = f"tree {number}"
    first, *lines = text.rstrip("\n").split("\n")
    allowed = (*SCALARS, *PER_SPLIT, *PER_LEAF, *CATEGORICAL)
    pairs = _pairs(lines, where, allowed)
    required = set(allowed) - set(CATEGORICAL)
    if first != f"Tree={number}" or not required <= set(pairs):
        message = f"{where} is incomplete"
        raise BadArtifactError(message)
    scalars = {key: _numbers(pairs[key], f"{key} of {where}") for key in SCALARS}
    if any(len(value) != 1 for value in scalars.values()) or scalars["is_linear"][0] != 0:
        message = f"{where} is of a kind that this plugin does not write"
        raise BadArtifactError(message)
    leaves, categorical = int(scalars["num_leaves"][0]), int(scalars["num_cat"][0])
    if not 1 <= leaves <= MAX_LEAVES or not 0 <= categorical < leaves:
        message = f"{where} has {leaves} leaves and {categorical} splits by category"
        raise BadArtifactError(message)
    values = _check_lengths(pairs, where, leaves)
    if not (np.abs(values["leaf_value"]) <= MAX_VALUE).all():
        message = f"{where} has leaves that are not finite log-odds"
        raise BadArtifactError(message)
    if leaves > 1:
        _check_splits(values, where, leaves, columns)
    _check_categories(pairs, values, where, categorical)


def _check_lengths(pairs: Mapping[str, str], where: str, leaves: int) -> dict[str, np.ndarray]:
    values = {}
    for key in (*PER_SPLIT, *PER_LEAF):
        array = _numbers(pairs[key], f"{key} of {where}", integers=key in {*PER_SPLIT_INTEGERS, "leaf_count"})
        wanted = leaves if key in PER_LEAF else leaves - 1
        # A tree of one leaf has no weight of it.
        if len(array) != wanted and not (leaves == 1 and key == "leaf_weight" and not len(array)):
            message = f"{key} of {where} has {len(array)} entries, not {wanted}"
            raise BadArtifactError(message)
        values[key] = array
    return values


def _check_splits(values: Mapping[str, np.ndarray], where: str, leaves: int, columns: int) -> None:
    feature, decision = values["split_feature"], values["decision_type"]
    if feature.min() < 0 or feature.max() >= columns or decision.min() < 0 or decision.max() > MAX_DECISION:
        message = f"{where} splits on a feature or in a way that does not exist"
        raise BadArtifactError(message)
    children = np.stack([values["left_child"], values["right_child"]])
    inner = children[children >= 0]
    ends = ~children[children < 0]
    # Every node but the root has one parent that comes before it, so there is one tree and no circle.
    whole = np.array_equal(np.sort(inner), np.arange(1, leaves - 1)) and np.array_equal(
        np.sort(ends), np.arange(leaves)
    )
    if not whole or not (np.where(children >= 0, children, leaves) > np.arange(leaves - 1)).all():
        message = f"{where} is not a tree"
        raise BadArtifactError(message)
    if (values["internal_count"] <= 0).any() or (values["leaf_count"] < 0).any():
        message = f"{where} counts rows below zero"
        raise BadArtifactError(message)


def _check_categories(pairs: Mapping[str, str], values: Mapping[str, np.ndarray], where: str, categorical: int) -> None:
    splits = (values["decision_type"].astype(np.int64) & IS_CATEGORICAL) == IS_CATEGORICAL
    if int(splits.sum()) != categorical or (categorical > 0) != all(key in pairs for key in CATEGORICAL):
        message = f"{where} counts its splits by category wrongly"
        raise BadArtifactError(message)
    if not categorical:
        return
    bounds = _numbers(pairs["cat_boundaries"], f"cat_boundaries of {where}", integers=True)
    words = _numbers(pairs["cat_threshold"], f"cat_threshold of {where}", integers=True)
    rising = (
        len(bounds) == categorical + 1 and bounds[0] == 0 and (np.diff(bounds) > 0).all() and bounds[-1] == len(words)
    )
    chosen = np.sort(values["threshold"][splits])
    if not rising or not np.array_equal(chosen, np.arange(categorical)) or words.min() < 0 or words.max() >= 2**32:
        message = f"{where} lists its categories wrongly"
        raise BadArtifactError(message)
