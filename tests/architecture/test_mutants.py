"""Each mutant of ``make mutants`` still fits its file and its test."""

import ast
from functools import cache

import pytest

from tests.faults.mutants.table import ROOT, mutants


@cache
def _source(file):
    return (ROOT / file).read_text(encoding="utf-8")


@cache
def _tests(file):
    return {
        node.name for node in ast.walk(ast.parse(_source(file))) if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.mechanism)
def test_a_mutant_changes_its_file_and_names_a_test(mutant):
    ast.parse(mutant.applied(_source(mutant.file)))
    file, *names = mutant.test.split("::")
    assert names
    assert set(names) <= _tests(f"tests/{file}")
