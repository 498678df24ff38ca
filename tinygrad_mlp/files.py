"""Files are written in one step: whoever reads one sees all of the old or all of the new content, also if the writer is killed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from .errors import DataError

__all__ = ["replace_file"]


def replace_file(path: str | Path, content: str | bytes) -> None:
    """Write a file in one step. A text ends with a newline.

    Raises
    ------
    DataError
        If it cannot be written; nothing is changed then.
    """
    path = Path(path)
    data = content if isinstance(content, bytes) else (content if content.endswith("\n") else f"{content}\n").encode()
    try:
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    except (OSError, ValueError) as error:  # a NUL in the name is a ValueError
        raise DataError(f"cannot write {str(path)!r}: {getattr(error, 'strerror', None) or error}") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        mask = os.umask(0)  # mkstemp's files are private; this one has the rights that any new file has
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, (OSError, ValueError)):
            raise DataError(f"cannot write {str(path)!r}: {getattr(error, 'strerror', None) or error}") from error
        raise
