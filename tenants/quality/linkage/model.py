"""The comparison: Splink's model of agreement (Fellegi and Sunter 1969) over keys, in DuckDB in memory.

It is deterministic: one thread, a seed for the sample of strangers, pairs in a fixed order. DuckDB's own limit bounds
memory, and DuckDB may not spill to disk.
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
"""Fewest pairs from which the shares are estimated. With fewer, the defaults in ``agreement`` apply."""

STATED_PAIRS: Final = 5_000
"""The weight of the default shares, as a number of pairs of strangers."""

DUPLICATES: Final = 0.01
"""Prior share of patients who are in the records twice. It is raised where identifiers show more."""

_TABLE: Final = "people"

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two patients (indices in ``People``), their probability of being one person, each part's level (-1: missing)."""

    left: int
    right: int
    probability: float
    levels: dict[str, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of comparing all patients.

    Attributes:
        pairs: the pairs, the most probable first.
        failed_estimates: estimates of agreement that failed, with the kind of error; the default shares replace them.
    """

    pairs: list[Pair]
    failed_estimates: tuple[str, ...] = ()


def compare(people: People, *, threshold: float) -> Comparison:
    """Return the pairs with at least this probability of being one person, the most probable first.

    Args:
        people: the patients' keys.
        threshold: the lowest probability of a pair.
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
    values_present = {part.name: len(people) - people.columns[part.column].count(None) for part in PARTS}
    api = DuckDBAPI(connection=connection)
    failed: list[str] = []
    estimated = _estimate(api, connection, prior, values_present, failed)
    linker = _linker(api, _settings(prior, estimated))
    predictions = linker.inference.predict(threshold_match_probability=threshold)
    columns = ", ".join(f"gamma_{part.name}" for part in PARTS)
    rows = connection.execute(
        f"SELECT unique_id_l, unique_id_r, match_probability, {columns} FROM {predictions.physical_name}"  # noqa: S608 - our names
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
    values_present: dict[str, int],
    failed: list[str],
) -> dict[str, Shares]:
    """The shares ``m`` and ``u`` of every level: ``u`` from strangers, ``m`` by expectation maximisation.

    An estimate that fails goes into ``failed``, and the default shares replace it.
    """
    from splink import block_on

    linker = _linker(api, _settings(prior, None))
    linker.training.estimate_u_using_random_sampling(
        max_pairs=SAMPLE_PAIRS, seed=SEED, min_count_per_level=None, num_chunks=1
    )
    strangers = _blend_with_defaults(_shares(linker, "u"), values_present)
    estimates: Shares = {}
    # Each rule leaves out the columns it blocks on. Where two rules estimate a level, the first wins.
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
            estimates.setdefault(place, share)
    return {"m": estimates, "u": strangers}


def _blend_with_defaults(shares: Shares, values_present: dict[str, int]) -> Shares:
    """The shares in the sample of strangers, blended with the defaults, which weigh as much as ``STATED_PAIRS``."""
    tempered: Shares = {}
    for part in PARTS:
        sample_pairs = min(values_present[part.name] * (values_present[part.name] - 1) / 2, SAMPLE_PAIRS)
        for place, level in enumerate(part.levels):
            # Splink gives no share for a level that never occurs in the sample.
            sample_share = shares.get((part.name, place), 0.0)
            tempered[part.name, place] = (sample_pairs * sample_share + STATED_PAIRS * level.u) / (
                sample_pairs + STATED_PAIRS
            )
    return tempered


def _credible(shares: Shares, strangers: Shares, left_out: set[str]) -> Shares:
    """Return the agreement of the parts that are evidence: by the estimate, one person's agree more than strangers'."""
    credible: Shares = {}
    for part in PARTS:
        mine = {place: share for (name, place), share in shares.items() if name == part.name}
        if part.name in left_out or len(mine) != len(part.levels):
            continue
        default_share = sum(level.m for level in part.levels if level.agrees)
        agreeing = sum(mine[place] for place, level in enumerate(part.levels) if level.agrees)
        chance = sum(strangers.get((part.name, place), 0.0) for place, level in enumerate(part.levels) if level.agrees)
        if part.name == "sex" or agreeing < default_share / 2 or agreeing <= chance:
            continue
        credible |= {(part.name, place): share for place, share in mine.items()}
    return credible


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

    levels_out: list[Any] = [levels.CustomLevel(part.missing, "missing").configure(is_null_level=True)]
    for place, level in enumerate(part.levels):
        creator = levels.CustomLevel(level.condition, level.label) if level.condition else levels.ElseLevel()
        options: dict[str, Any] = {"m_probability": level.m}
        if shares is not None:
            options["m_probability"] = _bounded(shares["m"].get((part.name, place), level.m))
            options["u_probability"] = _bounded(shares["u"][part.name, place])
        if level.frequency is not None:
            options |= {"tf_adjustment_column": level.frequency, "disable_tf_exact_match_detection": True}
        levels_out.append(creator.configure(**options))
    return levels_out


def _bounded(share: float) -> float:
    return min(max(share, 1e-6), 1 - 1e-6)


def _shares(linker: Any, kind: str) -> Shares:  # noqa: ANN401 - Splink's
    """A linker's estimates by part and level, without the levels of missing values."""
    shares: Shares = {}
    for comparison in linker.misc.save_model_to_json()["comparisons"]:
        real_levels = [each for each in comparison["comparison_levels"] if not each.get("is_null_level")]
        for place, level in enumerate(real_levels):
            share = level.get(f"{kind}_probability")
            if share is not None:
                shares[comparison["output_column_name"], place] = float(share)
    return shares


def _pairs(connection: duckdb.DuckDBPyConnection, columns: list[str]) -> int:
    names = ", ".join(columns)
    condition = " AND ".join(f"{name} IS NOT NULL" for name in columns)
    query = (
        f"SELECT coalesce(sum(n * (n - 1) / 2), 0) FROM (SELECT count(*) AS n FROM {_TABLE}"  # noqa: S608 - our names
        f" WHERE {condition} GROUP BY {names})"
    )
    # DuckDB takes no further statement on a connection with rows left to fetch, so fetch all.
    return int(connection.execute(query).fetchall()[0][0])


def _prior(connection: duckdb.DuckDBPyConnection, patients: int) -> float:
    """The probability that two random patients are one person.

    It counts pairs with the same full name, birth date and sex, and is at least what ``DUPLICATES`` gives.
    """
    certain = _pairs(connection, ["names", "birth", "sex"])
    pairs = patients * (patients - 1) / 2
    return min(max(certain, DUPLICATES * patients, 1.0) / pairs, 0.1)
