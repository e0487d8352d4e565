"""Files that appear whole or not at all, and file errors in plain words.

A result is written beside its target under a passing name and moved there at the end, so that a failure half-way leaves
the target as it was. Large files are read by mapping them into memory.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tilevm.errors import UsageError

__all__ = ["MappedFile", "file_errors", "replacing"]


@contextmanager
def file_errors(path: str | os.PathLike[str], action: str) -> Iterator[None]:
    """Turns an ``OSError`` of the operating system into ``UsageError`` F002; ``action`` is ``read`` or ``write``.

    >>> with file_errors("missing.npy", "read"):
    ...     open("missing.npy")
    Traceback (most recent call last):
    tilevm.errors.UsageError: error[F002]: cannot read 'missing.npy': No such file or directory
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError("F002", f"cannot {action} {os.fspath(path)!r}: {reason}") from None


class MappedFile:
    """A file mapped into memory: ``data`` is ``uint8[size]``, read-only. Views of it keep the mapping alive.

    Raises ``UsageError`` F002 for a file that cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with file_errors(path, "read"), open(path, "rb") as file:
            empty = os.fstat(file.fileno()).st_size == 0
            self._map = None if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.data: NDArray[np.uint8] = np.frombuffer(self._map or b"", np.uint8)

    def release(self, start: int, stop: int) -> None:
        """Lets the system take back the memory of these bytes; they are read again if they are used again."""
        first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
        last = stop // mmap.PAGESIZE * mmap.PAGESIZE
        if self._map is not None and first < last and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, first, last - first)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that takes the place of ``path`` when the block ends without an error, and is gone otherwise.

    Raises ``UsageError`` F002 where the folder does not exist or may not be written.
    """
    import tempfile

    target = os.fspath(path)
    folder, name = os.path.split(target)
    with file_errors(path, "write"):
        if os.path.isdir(target):
            raise IsADirectoryError(None, "it is a folder")
        descriptor, passing = tempfile.mkstemp(prefix=f".{name}.", dir=folder or os.curdir)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
            os.chmod(passing, _mode(target))
            os.replace(passing, target)
        except BaseException:
            os.unlink(passing)
            raise


def _mode(target: str) -> int:
    """The permissions of the file that is replaced, or those that a new file gets."""
    if os.path.exists(target):
        return os.stat(target).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
