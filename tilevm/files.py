"""Files that appear whole or not at all, and file errors in plain words.

A result is written beside its target under a passing name and moved there at the end, so that a failure half-way leaves
the target as it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from tilevm.errors import UsageError

__all__ = ["file_errors", "replacing"]


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
