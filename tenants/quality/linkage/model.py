"""The comparison itself: Splink's model of agreement (Fellegi and Sunter 1969) over keys, in a DuckDB in memory.

Deterministic: one thread, a seed for the sample of strangers, pairs in a fixed order. Memory is bounded by the
database's own limit; it may not spill to disk.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core import telemetry
from tenants.quality.linkage.agreement import BLOCKS, PARTS, Part
from tenants.quality.linkage.people import TYPES, People

if TYPE_CHECKING:
    import duckdb

SEED: Final = 20_240_601
MEMORY: Final = "1GB"
SAMPLE_PAIRS: Final = 500_000
TRAIN_PAIRS: Final = 100_000
TRAIN_LEAST: Final = 50
"""Pairs below which there is nothing to estimate shares from, and those stated in ``agreement`` hold."""

STATED_PAIRS: Final = 5_000
"""How many pairs of strangers the stated shares weigh as much as."""

DUPLICATES: Final = 0.01
"""Share of patients expected to be in the records twice, the prior of a pair; raised where identifiers show more."""

_TABLE: Final = "people"

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two patients (places in ``People``), how probably one person, and the level of each part (-1: missing)."""

    left: int
    right: int
    probability: float
    levels: dict[str, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing all patients came to.

    Attributes:
        pairs: the most probable first.
        failed_estimates: the estimates of agreement that failed, with the kind of error: the stated shares stand in.
    """

    pairs: list[Pair]
    failed_estimates: tuple[str, ...] = ()


def compare(people: People, *, threshold: float) -> Comparison:
    """The pairs that are one person with at least this probability, the most probable first.

    Args:
        people: the patients' keys.
        threshold: least probability of a pair.
    """
    if len(people) < 2:  # noqa: PLR2004 - nobody to compare with
        return Comparison([])
    import duckdb
    import pyarrow as pa

    table = pa.table({name: pa.array(people.columns[name], type=_arrow(kind)) for name, kind in TYPES.items()})
    options: dict[str, Any] = {"threads": "1", "memory_limit": MEMORY, "max_temp_directory_size": "0B"}
    with duckdb.connect(":memory:", config=options) as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's advice is for who explores; the levels are judged below
        connection.register("given_people", table)
        connection.execute("CREATE TABLE people AS SELECT * FROM given_people ORDER BY unique_id").fetchall()
        connection.unregister("given_people")
        return _compare(connection, people, threshold)


def _arrow(kind: str) -> Any:  # noqa: ANN401 - an Arrow type
    import pyarrow as pa

    return {"int64": pa.int64(), "bool": pa.bool_(), "string": pa.string()}[kind]


def _compare(connection: duckdb.DuckDBPyConnection, people: People, threshold: float) -> Comparison:
    from splink.backends.duckdb import DuckDBAPI

    logging.getLogger("splink").setLevel(logging.ERROR)
    prior = _prior(connection, len(people))
    filled = {part.name: len(people) - people.columns[part.column].count(None) for part in PARTS}
    api = DuckDBAPI(connection=connection)
    failed: list[str] = []
    estimated = _estimate(api, connection, prior, filled, failed)
    linker = _linker(api, _settings(prior, estimated))
    found = linker.inference.predict(threshold_match_probability=threshold)
    columns = ", ".join(f"gamma_{part.name}" for part in PARTS)
    rows = connection.execute(
        f"SELECT unique_id_l, unique_id_r, match_probability, {columns} FROM {found.physical_name}"  # noqa: S608 - our names
        " ORDER BY match_probability DESC, unique_id_l, unique_id_r"
    ).fetchall()
    pairs = [
        Pair(
            left=min(left, right),
            right=max(left, right),
            probability=float(probability),
            levels={part.name: int(level) for part, level in zip(PARTS, levels, strict=True)},
        )
        for left, right, probability, *levels in rows
    ]
    return Comparison(pairs, tuple(failed))


Shares = dict[tuple[str, int], float]
"""(part, place of the level in it) -> share."""


def _estimate(
    api: Any,  # noqa: ANN401 - Splink's
    connection: duckdb.DuckDBPyConnection,
    prior: float,
    filled: dict[str, int],
    failed: list[str],
) -> dict[str, Shares]:
    """The shares ``m`` and ``u`` of every level: ``u`` from strangers, ``m`` by expectation maximisation.

    An estimate that fails is named in ``failed``; the stated shares stand in for it.
    """
    from splink import block_on

    linker = _linker(api, _settings(prior, None))
    linker.training.estimate_u_using_random_sampling(
        max_pairs=SAMPLE_PAIRS, seed=SEED, min_count_per_level=None, num_chunks=1
    )
    strangers = _tempered(_shares(linker, "u"), filled)
    told: Shares = {}
    # Each rule leaves out what it blocks on; what both estimate is taken from the first.
    for rule, columns in (("names", ["names", "sex"]), ("birth", ["birth", "sex"])):
        if _pairs(connection, columns) < TRAIN_LEAST:
            continue
        trainer = _linker(api, _settings(prior, {"m": {}, "u": strangers}))
        try:
            trainer.training.estimate_parameters_using_expectation_maximisation(
                block_on(*columns), fix_u_probabilities=True, max_pairs=TRAIN_PAIRS, record_sample_proportion=1.0
            )
        except Exception as error:  # noqa: BLE001 - whatever the library stumbles over is recorded and told
            kind = type(error).__name__  # its text may quote a value
            log.warning("estimate of agreement failed", estimate=rule, error=kind)
            failed.append(f"{rule}: {kind}")
            continue
        for place, share in _credible(_shares(trainer, "m"), strangers, left_out={rule, "sex"}).items():
            told.setdefault(place, share)
    return {"m": told, "u": strangers}


def _tempered(shares: Shares, filled: dict[str, int]) -> Shares:
    """What the sample of strangers shows, with what is stated weighing as much as ``STATED_PAIRS`` of them."""
    tempered: Shares = {}
    for part in PARTS:
        seen = min(filled[part.name] * (filled[part.name] - 1) / 2, SAMPLE_PAIRS)
        for place, level in enumerate(part.levels):
            # A level that the sample held none of comes without a share.
            shown = shares.get((part.name, place), 0.0)
            tempered[part.name, place] = (seen * shown + STATED_PAIRS * level.u) / (seen + STATED_PAIRS)
    return tempered


def _credible(shares: Shares, strangers: Shares, left_out: set[str]) -> Shares:
    """The parts whose estimate is of people who are one: agreement is at home among them, not among strangers."""
    kept: Shares = {}
    for part in PARTS:
        mine = {place: share for (name, place), share in shares.items() if name == part.name}
        if part.name in left_out or len(mine) != len(part.levels):
            continue
        stated = sum(level.m for level in part.levels if level.agrees)
        agreeing = sum(mine[place] for place, level in enumerate(part.levels) if level.agrees)
        chance = sum(strangers.get((part.name, place), 0.0) for place, level in enumerate(part.levels) if level.agrees)
        if part.name == "sex" or agreeing < stated / 2 or agreeing <= chance:
            continue
        kept |= {(part.name, place): share for place, share in mine.items()}
    return kept


def _linker(api: Any, settings: Any) -> Any:  # noqa: ANN401 - Splink's
    from splink import Linker

    return Linker(api.register(_TABLE), settings, log_level=logging.ERROR, validate_settings=False)


def _settings(prior: float, shares: dict[str, Shares] | None) -> Any:  # noqa: ANN401 - Splink's
    import splink.comparison_library as comparisons
    from splink import SettingsCreator, block_on

    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="unique_id",
        comparisons=[
            comparisons.CustomComparison(output_column_name=part.name, comparison_levels=_levels(part, shares))
            for part in PARTS
        ],
        blocking_rules_to_generate_predictions=[block_on(block) for block in BLOCKS],
        probability_two_random_records_match=prior,
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=True,
        additional_columns_to_retain=[],
        max_iterations=25,
    )


def _levels(part: Part, shares: dict[str, Shares] | None) -> list[Any]:
    import splink.comparison_level_library as levels

    made: list[Any] = [levels.CustomLevel(part.missing, "missing").configure(is_null_level=True)]
    for place, level in enumerate(part.levels):
        creator = levels.CustomLevel(level.condition, level.says) if level.condition else levels.ElseLevel()
        options: dict[str, Any] = {"m_probability": level.m}
        if shares is not None:
            options["m_probability"] = _bounded(shares["m"].get((part.name, place), level.m))
            options["u_probability"] = _bounded(shares["u"][part.name, place])
        if level.frequency is not None:
            options |= {"tf_adjustment_column": level.frequency, "disable_tf_exact_match_detection": True}
        made.append(creator.configure(**options))
    return made


def _bounded(share: float) -> float:
    return min(max(share, 1e-6), 1 - 1e-6)


def _shares(linker: Any, kind: str) -> Shares:  # noqa: ANN401 - Splink's
    """What a linker has estimated, by part and level, the missing ones left out."""
    found: Shares = {}
    for comparison in linker.misc.save_model_to_json()["comparisons"]:
        told = [each for each in comparison["comparison_levels"] if not each.get("is_null_level")]
        for place, level in enumerate(told):
            share = level.get(f"{kind}_probability")
            if share is not None:
                found[comparison["output_column_name"], place] = float(share)
    return found


def _pairs(connection: duckdb.DuckDBPyConnection, columns: list[str]) -> int:
    names = ", ".join(columns)
    filled = " AND ".join(f"{name} IS NOT NULL" for name in columns)
    query = (
        f"SELECT coalesce(sum(n * (n - 1) / 2), 0) FROM (SELECT count(*) AS n FROM {_TABLE}"  # noqa: S608 - our names
        f" WHERE {filled} GROUP BY {names})"
    )
    # All rows are fetched: a connection with some left takes no further statement.
    return int(connection.execute(query).fetchall()[0][0])


def _prior(connection: duckdb.DuckDBPyConnection, patients: int) -> float:
    """How probably two patients taken at random are one person.

    From those whose full names, birth date and sex are the same, at least what ``DUPLICATES`` amounts to.
    """
    certain = _pairs(connection, ["names", "birth", "sex"])
    pairs = patients * (patients - 1) / 2
    return min(max(certain, DUPLICATES * patients, 1.0) / pairs, 0.1)
