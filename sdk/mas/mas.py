"""`from mas.mas import MAS`: another name of `mas.Client`."""

from __future__ import annotations

from mas.client import Client as MAS

__all__ = ["MAS"]
