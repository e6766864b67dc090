"""DeepMind-Math as it is published, mathematics_dataset-v1.0.tar.gz: unpacked once, into the cache of datasets.

Training reads some 260 files in turns, which a packed stream cannot give. It is unpacked a piece at a time, so that
neither its size nor what it claims about itself is a matter of memory, and names of files in it lead nowhere.
"""

import gzip
import hashlib
import re
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from datasets import config
from filelock import FileLock

from ..errors import writing
from ..terminal import logger
from .readers import MATH_FILE, DataError

PACKED = re.compile(r"\.(tar|tar\.gz|tgz)$")
_VERSION = 1  # rises whenever other files come out of an archive: those of before are in the cache
_MEMBERS = 10_000  # of an archive at most; the published one has 265
_NAMES = 2**20  # bytes of an extended header, which is in memory as a whole
_LONG_NAMES = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME)
_LONG_NAMES += (tarfile.GNUTYPE_LONGLINK, tarfile.GNUTYPE_SPARSE)


def unpacked(archive: Path) -> Path:
    """The folder with the splits of a packed archive. Of several processes one unpacks, and the others wait.

    Raises DataError for an archive that is damaged or hostile, or holds no file of DeepMind-Math; then nothing stays.
    """
    archive = archive.resolve()
    state = archive.stat()
    identity = f"{archive} {state.st_size} {state.st_mtime_ns} {_VERSION}"
    key = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    folder = Path(config.EXTRACTED_DATASETS_PATH, f"{archive.name}-{key}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                logger(__name__).warning("unpacking %s into %s, once", archive, folder)
                with writing(folder):
                    _unpack_whole(archive, folder)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{archive} cannot be unpacked into {folder} (HF_DATASETS_CACHE): {reason}") from error
    return folder


def _unpack_whole(archive: Path, folder: Path) -> None:
    temporary = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)  # what a killed process left
    try:
        temporary.mkdir()
        with archive.open("rb") if archive.suffix == ".tar" else gzip.open(archive) as stream:
            _unpack(stream, temporary, archive)
            while stream.read(2**20):  # behind the last file; gzip's checksum comes at the end
                pass
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack(stream, folder: Path, archive: Path) -> None:
    seen = 0
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as packed:
        for number, member in enumerate(packed):
            name = member.name
            if number == _MEMBERS or name.startswith("/") or ".." in PurePosixPath(name).parts:
                raise DataError(f"{archive} is no archive of DeepMind-Math and was not unpacked: it holds {name!r}")
            place = MATH_FILE.search(name)
            if not place:
                continue
            target = folder.joinpath(*place.groups())
            content = packed.extractfile(member) if member.isreg() else None
            if content is None or target.exists():
                raise DataError(f"{archive} was not unpacked: {name!r} is no plain file, or is there twice")
            target.parent.mkdir(exist_ok=True)
            with target.open("xb") as file:
                shutil.copyfileobj(content, file)
            seen += 1
    if not seen:
        raise DataError(f"{archive} is no archive of DeepMind-Math: it holds no train-easy/module__name.txt")


class _Member(tarfile.TarInfo):
    """A member whose extended header, a long name or more, is not larger than such names are."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        member = super().frombuf(buf, encoding, errors)
        if member.type in _LONG_NAMES and member.size > _NAMES:
            raise tarfile.ReadError(f"a name in it takes {member.size:,} bytes")
        return member
