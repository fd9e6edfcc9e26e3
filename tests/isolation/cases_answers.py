"""The routes of questions to guidelines."""

from uuid import UUID, uuid4

import numpy as np

from tenants.knowledge.indexing import PassageVectors
from tenants.knowledge.models_questions import KnowledgeQuestion
from tenants.knowledge.passages import Passage
from tests.isolation.routes import Call, World, case
from tests.tenants.knowledge.guidelines import add_document

LETTERS = str.maketrans("0123456789", "ghijklmnop")


def _call(world: World) -> Call:
    """A question with a word that only one document of the owner has."""
    word = uuid4().hex.translate(LETTERS)
    vectors = np.full((1, 384), 384**-0.5, dtype=np.float32)
    passage = Passage(1, ("Refills",), f"Give a refill of {word} for the usual number of months.", None)
    document = add_document(world.tenant, word, "Refills", PassageVectors([passage], vectors, "e5"))
    return Call(json={"question": f"How long may a refill of {word} be?", "language": "en"}, marks=[document])


def _question(world: World) -> UUID:
    row = KnowledgeQuestion(text="Who pays?", language="en", outcome="none", probability=0.0, model="e5")
    with world.session() as session:
        session.add(row)
        session.flush()
        return row.uuid


@case("POST", "/v1/knowledge/ask", kind="collection")
def ask(world: World) -> Call:
    return _call(world)


@case("POST", "/v1/knowledge/ask/stream", kind="collection")
def stream(world: World) -> Call:
    return _call(world)


@case("GET", "/v1/knowledge/questions", kind="collection")
def list_questions(world: World) -> Call:
    return Call(params={"open": True}, marks=[_question(world)])


@case("PUT", "/v1/knowledge/questions/{question_id}/feedback", kind="item")
def give_feedback(world: World) -> Call:
    return Call(path={"question_id": _question(world)}, json={"feedback": "wrong"})


@case("POST", "/v1/knowledge/questions/{question_id}/handle", kind="item")
def handle(world: World) -> Call:
    return Call(path={"question_id": _question(world)})
