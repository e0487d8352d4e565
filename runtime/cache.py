"""Compiled kernels on disk, so that a kernel is compiled once for all processes and all days.

An entry is a file named by the SHA-256 of everything that its content depends on, and holds named parts (a cubin, its
PTX, the compiler's log) behind a header of its own: a mark, the length of what follows and its SHA-256. What does not
fit its header is treated as absent, removed, and written anew. Nothing that is read is executed or unpickled.

Many processes may use one folder at once, without locks, because each step is a single one for the file system: an
entry is written beside its place and moved there whole, a reader has opened the old file or the new one, and of two
processes that write the same entry either's will do. The folder is bounded: after each write, entries that were not
used for the longest time are removed until all together are small enough; use is recorded as the time of modification.

A folder that cannot be used makes no difference but in time: it is said once, as a ``CacheWarning``, and kernels are
compiled in every process.

>>> import tempfile
>>> folder = tempfile.TemporaryDirectory()
>>> cache = Cache(Path(folder.name))
>>> name = key("sm_80", "-O3", "__global__ void f() {}")
>>> cache.put(name, {"cubin": b"..."})
>>> cache.get(name)
{'cubin': b'...'}
>>> folder.cleanup()
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tilevm.errors import UsageError
from tilevm.files import replacing

__all__ = ["Cache", "CacheWarning", "cache_folder", "key"]

DEFAULT_LIMIT_BYTES = 1 << 30
SUFFIX = ".kernel"

MARK = b"tilevm\x00\x01"
HEADER = struct.Struct("<8sQ32s")
PART = struct.Struct("<HQ")

# A file that a process was writing when it died is left behind; one that is this old is nobody's any more.
ABANDONED_SECONDS = 3600.0


class CacheWarning(UserWarning):
    """The folder of compiled kernels cannot be used."""


def cache_folder() -> Path:
    """Where compiled kernels are kept: ``$TILEVM_CACHE_DIR``, else ``kernels`` in the user's cache folder."""
    chosen = os.environ.get("TILEVM_CACHE_DIR")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("tilevm") / "kernels"


def key(*parts: str) -> str:
    """The name of an entry, from everything that its content depends on: 64 hexadecimal digits.

    Parts are told apart, so that no two lists of parts have one name by being joined.

    >>> key("ab", "c") == key("a", "bc")
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(struct.pack("<Q", len(data)))
        digest.update(data)
    return digest.hexdigest()


class Cache:
    """Entries in a folder, of at most ``limit_bytes`` together. No method raises for what the file system does."""

    def __init__(self, folder: Path | None = None, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.folder = cache_folder() if folder is None else folder
        self.limit_bytes = limit_bytes
        self._warned = False

    def get(self, name: str) -> dict[str, bytes] | None:
        """The parts of an entry, or None where there is none that is whole."""
        path = self._path(name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn(f"{path} cannot be read: {error.strerror or error}")
            return None
        parts = _unpack(data)
        with suppress(OSError):  # another process was first, or the folder is read-only: what was read is as good
            if parts is None:
                path.unlink()
            else:
                os.utime(path)
        return parts

    def put(self, name: str, parts: Mapping[str, bytes]) -> None:
        """Writes an entry, or replaces it, and removes old ones beyond the limit.

        An entry that is larger than the limit by itself is not written.
        """
        data = _pack(parts)
        if len(data) > self.limit_bytes:
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replacing(self._path(name)) as file:
                file.write(data)
        except UsageError as error:
            self._warn(error.diagnostics[0].message)
        except OSError as error:
            self._warn(f"{self.folder} cannot be made: {error.strerror or error}")
        else:
            self._shrink()

    def clear(self) -> None:
        """Removes every entry."""
        for path, _, _ in self._files():
            with suppress(OSError):
                path.unlink()

    def _path(self, name: str) -> Path:
        return self.folder / (name + SUFFIX)

    def _warn(self, reason: str) -> None:
        if not self._warned:
            self._warned = True
            text = f"compiled kernels are not kept: {reason}; TILEVM_CACHE_DIR names another folder"
            warnings.warn(text, CacheWarning, stacklevel=4)

    def _files(self) -> Iterator[tuple[Path, float, int]]:
        """The files that a cache wrote: path, time of last use, size in bytes."""
        try:
            found = list(os.scandir(self.folder))
        except OSError:
            return
        for file in found:
            if SUFFIX in file.name and file.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):  # another process removed it meanwhile
                    status = file.stat(follow_symlinks=False)
                    yield Path(file.path), status.st_mtime, status.st_size

    def _shrink(self) -> None:
        """Removes the files of writers that died, then the entries that were not used for the longest time."""
        files = sorted(self._files(), key=lambda file: file[1])
        total = sum(size for _, _, size in files)
        oldest_writer = time.time() - ABANDONED_SECONDS
        for path, used, size in files:
            finished = path.name.endswith(SUFFIX)
            if used < oldest_writer if not finished else total > self.limit_bytes:
                try:
                    path.unlink()
                except OSError:
                    continue
                total -= size


def _pack(parts: Mapping[str, bytes]) -> bytes:
    body = b"".join(
        piece
        for name, content in parts.items()
        for piece in (PART.pack(len(name.encode()), len(content)), name.encode(), content)
    )
    return HEADER.pack(MARK, len(body), hashlib.sha256(body).digest()) + body


def _unpack(data: bytes) -> dict[str, bytes] | None:
    """The parts of an entry's bytes, or None where they do not fit their header."""
    if len(data) < HEADER.size:
        return None
    mark, length, digest = HEADER.unpack_from(data)
    body = data[HEADER.size :]
    if mark != MARK or length != len(body) or hashlib.sha256(body).digest() != digest:
        return None
    parts: dict[str, bytes] = {}
    at = 0
    while at < len(body):
        if at + PART.size > len(body):
            return None
        name_bytes, content_bytes = PART.unpack_from(body, at)
        content_at = at + PART.size + name_bytes
        parts[body[at + PART.size : content_at].decode(errors="replace")] = body[
            content_at : content_at + content_bytes
        ]
        at = content_at + content_bytes
    return parts if at == len(body) else None
