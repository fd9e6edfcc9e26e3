"""What an incoming message says, by its words alone: stop, start, coming, call; or nothing that is certain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tenants.messages.covert import folded

if TYPE_CHECKING:
    from tenants.messages.schemas import AnswerName

_WORDS: Final[dict[AnswerName, str]] = {
    "stop": "stop stopall unsubscribe end quit cancel optout arret arreter desabonner fin pare parar sair cancelar "
    "acha simamisha sitisha tsaya daina dakata kwusi duro",
    "start": "start unstop resume yesstart reprendre commencer demarrer comecar voltar anza fara bido",
    "coming": "1",
    "call": "2",
}
"""Answer -> its words, folded. English, French, Portuguese, Swahili, Hausa, Igbo, Yoruba."""
_BY_WORD: Final[dict[str, AnswerName]] = {word: answer for answer, words in _WORDS.items() for word in words.split()}


def classify(text: str) -> AnswerName | None:
    """Return what a message says; None if a person has to read it.

    Only a message of one word, or of one digit, is certain, apart from STOP and its translations at the beginning of a
    message: to send nothing more is never wrong.
    """
    words = re.findall(r"\w+", folded(text))
    if not words:
        return None
    first = _BY_WORD.get(words[0])
    if first == "stop" or len(words) == 1:
        return first
    return None
