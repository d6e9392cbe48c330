"""The spelling of the documents. No type checker takes a module for a class, so it needs one comment."""

import mas


class Trend(mas):  # type: ignore[misc, valid-type]
    pass
