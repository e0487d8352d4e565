"""Results of tuning on disk: readable JSON, a file for each kernel, kind of call, architecture and GPU.

What is read is checked field by field and used as data; nothing is executed. A file that is damaged, or that another
version of tilevm or NVRTC wrote, is ignored, and a ``TuneWarning`` says so; the next tuning writes it anew. A result of
another GPU stays where it is: it is not used here, and it is said that it is there. Files appear whole or not at all.

``export`` puts every result of a store into one file, to go with a model; ``import_`` takes it in.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tilevm.errors import TilevmError, UsageError
from tilevm.files import file_errors, replacing
from tilevm.runtime.nvrtc import nvrtc_version
from tilevm.runtime.tuning.result import STATES, Candidate, TuneResult, Versions
from tilevm.runtime.tuning.subject import TuneKey
from tilevm.version import __version__

__all__ = ["TuneStore", "TuneWarning", "current_versions", "tuned_folder"]

FORMAT = 1
SUFFIX = ".json"


class TuneWarning(UserWarning):
    """A result of tuning that cannot be used, or was not kept."""


class _Damaged(Exception):
    """What is wrong with a record."""


def tuned_folder() -> Path:
    """Where results are kept: ``tuned`` in ``$TILEVM_CACHE_DIR`` or in the user's cache folder."""
    chosen = os.environ.get("TILEVM_CACHE_DIR")
    if chosen:
        return Path(chosen) / "tuned"
    from platformdirs import user_cache_path

    return user_cache_path("tilevm") / "tuned"


def current_versions() -> Versions:
    """The versions that a result depends on."""
    try:
        return Versions(__version__, "{}.{}".format(*nvrtc_version()))
    except UsageError:
        return Versions(__version__, None)


class TuneStore:
    """Results in a folder, by default ``tuned_folder()``, which is made when the first one is written."""

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = tuned_folder() if folder is None else Path(folder)

    def __repr__(self) -> str:
        return f"TuneStore({str(self.folder)!r})"

    def __iter__(self) -> Iterator[TuneResult]:
        """Every result that can be read, of any version and device, in order of the files' names."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            found = self._read(path)
            if found is not None:
                yield found

    def get(self, key: TuneKey, versions: Versions | None = None) -> TuneResult | None:
        """The result for these calls, if there is one that holds for this architecture, device and these versions."""
        path = self.folder / _name(key)
        found = self._read(path) if path.exists() else None
        if found is not None and found.key != key:
            self._ignored(path, "it is for other calls than its name says")
            found = None
        if found is None:
            self._mention_others(key)
            return None
        versions = versions or current_versions()
        if found.versions != versions:
            self._ignored(path, f"it was made by {_made_by(found.versions)}, and this is {_made_by(versions)}")
            return None
        return replace(found, stored=True)

    def put(self, result: TuneResult) -> bool:
        """Writes a result. Where it cannot, as on a full disk, it gives False, and a ``TuneWarning`` says why."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self.folder / _name(result.key), _record(result))
        except (UsageError, OSError) as error:
            reason = error.diagnostics[0].message if isinstance(error, TilevmError) else str(error)
            warnings.warn(f"the result of tuning is not kept: {reason}", TuneWarning, stacklevel=2)
            return False
        return True

    def export(self, path: str | os.PathLike[str], kernels: Sequence[str] | None = None) -> int:
        """Writes all results, or those of the kernels with these names, to one file. Gives their number.

        Raises ``UsageError`` F002 where the file cannot be written.
        """
        results = [each for each in self if kernels is None or each.key.kernel in kernels]
        _write(Path(path), {"format": FORMAT, "results": [_record(each) for each in results]})
        return len(results)

    def import_(self, path: str | os.PathLike[str]) -> int:
        """Takes in the results of a file that ``export`` wrote, over those for the same calls. Gives their number.

        Raises ``UsageError`` F002 for a file that cannot be read, or a store that cannot be written; F053 for one that
        is damaged, or is none: then nothing was taken in.
        """
        with file_errors(path, "read"):
            data = Path(path).read_bytes()
        try:
            content = json.loads(data)
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise _Damaged(f"it is not of format {FORMAT}")
            results = [_result(each) for each in _list(content, "results")]
        except (ValueError, RecursionError, _Damaged) as error:
            raise UsageError(
                "F053",
                f"{os.fspath(path)!r} holds no results of tuning: {error}",
                help="tilevm.TuneStore().export(path) writes such a file",
            ) from None
        with file_errors(self.folder, "write"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in results:
            _write(self.folder / _name(each.key), _record(each))
        return len(results)

    def _read(self, path: Path) -> TuneResult | None:
        try:
            return _result(json.loads(path.read_bytes()))
        except (ValueError, RecursionError, OSError, _Damaged) as error:
            self._ignored(path, f"it is damaged: {error}")
            return None

    def _ignored(self, path: Path, reason: str) -> None:
        warnings.warn(f"the stored result {path} is ignored: {reason}", TuneWarning, stacklevel=4)

    def _mention_others(self, key: TuneKey) -> None:
        """Says where a result for these calls was made on another GPU."""
        for path in sorted(self.folder.glob(f"{_stem(key)}-*{SUFFIX}")):
            found = self._read(path)
            if found is not None and found.key != key:
                self._ignored(path, f"it was made on {found.key.device or found.key.arch + ' without a GPU'}")


def _made_by(versions: Versions) -> str:
    return f"tilevm {versions.tilevm} with {f'NVRTC {versions.nvrtc}' if versions.nvrtc else 'no NVRTC'}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _stem(key: TuneKey) -> str:
    return f"{_slug(key.kernel)}-{key.digest}"


def _name(key: TuneKey) -> str:
    return f"{_stem(key)}-{key.arch}-{_slug(key.device or 'no gpu')}{SUFFIX}"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False)
    with replacing(path) as file:
        file.write(text.encode() + b"\n")


# Records


def _record(result: TuneResult) -> dict[str, Any]:
    """A result as JSON: what a reader looks for first stands first. Empty fields of candidates are left out."""
    key = result.key
    return {
        "format": FORMAT,
        "kernel": key.kernel,
        "sizes": dict(key.sizes),
        "compile_time": dict(key.compile_time),
        "formats": dict(key.formats),
        "arch": key.arch,
        "device": key.device,
        "best": dict(result.best),
        "seconds": result.seconds,
        "measured": result.measured,
        "notes": list(result.notes),
        "tilevm": result.versions.tilevm,
        "nvrtc": result.versions.nvrtc,
        "source": key.source,
        "space": key.space,
        "candidates": [
            {name: held for name, held in asdict(each).items() if held not in (None, "")} for each in result.candidates
        ],
    }


def _result(record: Any) -> TuneResult:
    """The result of a record. Raises ``_Damaged`` where a field is missing or of another kind."""
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise _Damaged(f"it is not of format {FORMAT}")
    key = TuneKey(
        _text(record, "kernel"),
        _text(record, "source"),
        _text(record, "space"),
        _text(record, "arch"),
        _text(record, "device", optional=True),
        *(_texts(record, name) for name in ("sizes", "compile_time", "formats")),
    )
    if not all(isinstance(each, str) for each in _list(record, "notes")):
        raise _Damaged("`notes` are no texts")
    measured = record.get("measured")
    if not isinstance(measured, bool):
        raise _Damaged("`measured` is neither true nor false")
    return TuneResult(
        key,
        _config(record.get("best")),
        _number(record, "seconds"),
        measured,
        tuple(_candidate(each) for each in _list(record, "candidates")),
        tuple(record["notes"]),
        Versions(_text(record, "tilevm"), _text(record, "nvrtc", optional=True)),
    )


def _candidate(record: Any) -> Candidate:
    if not isinstance(record, dict) or record.get("state") not in STATES:
        raise _Damaged("a candidate has no state")
    known: dict[str, Any] = {"config": _config(record.get("config")), "state": record["state"]}
    for name in ("reason", "detail", "bound"):
        known[name] = _text(record, name, optional=True) or ""
    for name in ("predicted", "spent", "measured", "low", "high"):
        known[name] = _number(record, name) if name in record else None
    for name in ("registers", "spilled_bytes", "shared_bytes"):
        known[name] = int(_number(record, name)) if name in record else None
    return Candidate(**known)


def _config(held: Any) -> dict[str, Any]:
    if not isinstance(held, dict) or not all(isinstance(value, bool | int | str) for value in held.values()):
        raise _Damaged("a config is not of names with integers, truth values or texts")
    return held


def _list(record: Mapping[str, Any], name: str) -> list[Any]:
    held = record.get(name)
    if not isinstance(held, list):
        raise _Damaged(f"`{name}` is no list")
    return held


def _texts(record: Mapping[str, Any], name: str) -> tuple[tuple[str, str], ...]:
    held = record.get(name)
    if not isinstance(held, dict) or not all(isinstance(value, str) for value in held.values()):
        raise _Damaged(f"`{name}` has no texts by name")
    return tuple(sorted(held.items()))


def _text(record: Mapping[str, Any], name: str, *, optional: bool = False) -> Any:
    held = record.get(name)
    if not isinstance(held, str) and not (optional and held is None):
        raise _Damaged(f"`{name}` is no text")
    return held


def _number(record: Mapping[str, Any], name: str) -> float:
    held = record.get(name)
    if isinstance(held, bool) or not isinstance(held, int | float) or not 0 <= held < float("inf"):
        raise _Damaged(f"`{name}` is no number that can be")
    return float(held)
