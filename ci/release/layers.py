"""Reads layers as streams: file by file, with no more of them in memory than one entry and a part of its content."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import IO, cast

from ci.core.errors import DrydockError
from ci.release.differences import Entry, FileDifferences, compare_entries

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd  # the same (PEP 784)

_CHUNK = 1024 * 1024  # bytes
_TYPES = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "link",
    tarfile.LNKTYPE: "hard link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "pipe",
}
# What a frame may ask for, whatever it says of itself: 2 to this power of bytes. zstd writes more only with --ultra.
_ZSTD: Mapping[int, int] = {zstd.DecompressionParameter.window_log_max: 27}
_ATTRIBUTES = ("SCHILY.xattr.", "LIBARCHIVE.xattr.")

Place = tuple[Path, int, int]  # a file, and where in it a layer begins and how many bytes it has


def compare_layers(media_type: str, released: Place, built: Place) -> FileDifferences:
    """Compare two layers, compressed as their media type says, file by file.

    Raises:
        DrydockError: one cannot be read.

    """
    return compare_entries(_entries(media_type, released), _entries(media_type, built))


def _entries(media_type: str, place: Place) -> Iterator[Entry]:
    file, start, size = place
    try:
        with (
            file.open("rb") as raw,
            _opened(media_type, cast("IO[bytes]", _Part(raw, start, size))) as plain,
            tarfile.open(fileobj=plain, mode="r|") as tar,
        ):
            while member := tar.next():
                yield _entry(tar, member)
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep all of them
    except (tarfile.TarError, OSError, EOFError, zlib.error, zstd.ZstdError) as error:
        raise DrydockError(f"the layer is no archive that can be read: {error}") from None


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    digest = sha256()
    content = tar.extractfile(member) if member.isreg() else None
    if content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    more = [f"{key}={value}" for key, value in sorted(member.pax_headers.items()) if key.startswith(_ATTRIBUTES)]
    device = f"{member.devmajor}:{member.devminor}" if member.ischr() or member.isblk() else ""
    return Entry(
        path=member.name,
        type=_TYPES.get(member.type, repr(member.type)),
        content=digest.hexdigest() if content else "",
        time=float(member.mtime),
        mode=member.mode,
        owner=f"{member.uid}:{member.gid} {member.uname}:{member.gname}",
        target=member.linkname or device,
        attributes=" ".join(more),
    )


def _opened(media_type: str, raw: IO[bytes]) -> IO[bytes]:
    if media_type.endswith("gzip"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="rb"))
    if media_type.endswith("zstd"):
        return cast("IO[bytes]", zstd.ZstdFile(raw, mode="r", options=_ZSTD))
    return raw


class _Part(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        file.seek(start)
        self._file, self._left = file, size

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, and none behind its end."""
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data
