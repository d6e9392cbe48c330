"""The language of the messages that the SDK makes for people.

Pure. Every message is made in English, here or by a worker. `Language.say` finds it in the table of `mas._texts`, where
`{}` stands for what varies, and gives it in the user's language; what is not in the table stays in English. What
programs look at (states, reasons, return codes, names of fields) is never translated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Final

from mas._fields import choice
from mas_router.errors import InvalidField

Say = Callable[[str], str]

#: The languages of `set_lang`.
LANGUAGES: Final = ("en", "zh-tw", "zh-cn")
_LONGEST: Final = 4096
_CACHED: Final = 1024
#: A sentence with its reason, and a sentence with a second one.
_JOINTS: Final = (("; ", "；"), (": ", "："))


def check(lang: object) -> str:
    """A known language. Raises InvalidField."""
    kind = choice(dict(zip(LANGUAGES, LANGUAGES, strict=True)))
    try:
        return str(kind.read(lang))
    except Exception:
        raise InvalidField("lang", lang, kind.allowed) from None


class Language:
    """One language. `say` is quick for what was said before."""

    def __init__(self, name: str = "en") -> None:
        self.name = name
        self.say: Say = str if name == "en" else lru_cache(maxsize=_CACHED)(self._say)

    def _say(self, text: str) -> str:
        if len(text) > _LONGEST:
            return text
        return self._known(text) or self._joined(text) or text

    def _known(self, text: str) -> str:
        """The translation of a text that is in the table as a whole, else ""."""
        exact, patterns = _table(self.name)
        if text in exact:
            return exact[text]
        for pattern, wanted in patterns:
            match = pattern.fullmatch(text)
            if match:
                return wanted.format(*(self._say(part) for part in match.groups()))
        return ""

    def _joined(self, text: str) -> str:
        """Sentence by sentence, if one of them is known, else ""."""
        for joint, wanted in _JOINTS:
            head, found, tail = text.partition(joint)
            said = (self._say(head), self._say(tail)) if found else (head, tail)
            if said != (head, tail):
                return wanted.join(said)
        return ""


@cache
def _table(lang: str) -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Texts without and with something that varies; of these, the one that says most comes first."""
    from mas._texts import TEXTS

    column = LANGUAGES.index(lang) - 1
    exact = {english: row[column] for english, row in TEXTS.items() if "{}" not in english}
    varying = sorted((english for english in TEXTS if "{}" in english), key=lambda english: -len(english))
    return exact, [(_pattern(english), TEXTS[english][column]) for english in varying]


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(map(re.escape, english.split("{}"))), re.DOTALL)
