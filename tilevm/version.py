"""The version of the package, for modules that must not import its public face."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
