"""Which release this is."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
#: The day of the release, as in CHANGELOG.md; "unreleased" until then.
RELEASED: Final = "unreleased"
