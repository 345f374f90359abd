"""Data sets as NetCDF files in auDeep's layout, loaded into memory or read row by row."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skaudeep._files import (
    append_checksum,
    check_compression,
    check_readable,
    fingerprint,
    has_checksum,
    memory_for,
    replacing,
    verify_checksum,
)
from skaudeep._texts import printable
from skaudeep._version import __version__
from skaudeep.datasets.bunch import PARTITIONS, make_bunch, replace_keys
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y
from skaudeep.formats.layout import (
    RowReader,
    check_padding,
    complete_bunch,
    decode_target,
    dims_of_instances,
    frame_counts,
    group_by_clip,
    reduce_to_clips,
    row_reader,
    settle_chunks,
)
from skaudeep.formats.lazy import (
    CACHE_BYTES,
    LIBRARY,
    ReplacedError,
    StoredArray,
    StoredFile,
    damaged_file,
    plain_path,
)
from skaudeep.formats.netcdf_contents import (
    AUDEEP,
    OURS,
    check_variables,
    parse_attributes,
    read_column,
)

FORMAT = 1  # version of the layout; increased when older readers cannot read new files
BLOCK_BYTES = 2**20  # approximate number of bytes held in memory at a time
CHUNK_BYTES = 2**16  # smallest part that is compressed and checked at once; one row if larger
MAX_CHUNK_BYTES = 2**20
PARTITION_NUMBER = {"": -1} | {name: number for number, name in enumerate(PARTITIONS)}

# --- reading -------------------------------------------------------------------------------------


def load_netcdf(
    path: str | os.PathLike[str],
    *,
    lazy: bool = False,
    verify: bool = True,
    return_X_y: bool = False,
) -> BunchOrXy:
    """Load a data set from a NetCDF file, written by `save_netcdf` or by auDeep.

    Parameters
    ----------
    path : str or Path
        Path of the file.
    lazy : bool, default=False
        Whether to leave the data on disk. With True, `data` is a :class:`StoredArray`, which can be
        passed as X and is read a batch at a time in `fit` and `transform`; all other keys are read
        at once. If the file is changed in place, the next read raises an error. If it is replaced
        by another file, as by :func:`save_netcdf`, before the first read of `data`, that read
        raises an error; after it, `data` keeps the old content.
    verify : bool, default=True
        Whether to read the whole file once and compare it with its checksum, so that a single
        wrong bit is an error. False opens a large file faster, and opens a file that another
        program has changed on purpose. Damage in `data` is still found when it is read. Files of
        auDeep have no checksum.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, partitions, groups and the names of classes. There is
        a UserWarning if some clips are labelled and others are not.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`~skaudeep.datasets.make_bunch`, and with `errors`:

        data : ndarray or StoredArray, float32
            Array of shape (n_clips, n_frames, n_bands) or (n_clips, n_features), or with chunks as
            second axis. Rows of shorter clips are padded with NaN.
        errors : ndarray of shape (n_clips,) of str
            Error message of each clip that could not be read during extraction; "" for others.

        `dims` are those that were saved. Files of auDeep do not hold them: the second axis then
        counts chunks if clips have several rows, and the other axes are features, or frames and
        bands, by their number.

        If they were saved, there are also the keys `copy_of` of
        :func:`~skaudeep.datasets.upsample`, `recorded_at` of :func:`~skaudeep.datasets.windows`,
        and `feature_names`. Clips are in the order of their first chunk in the file.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If the file does not exist, or is a folder.
    ValueError
        If the file is not a NetCDF file, is damaged or cut short, holds another kind of data,
        contradicts itself, or was written by a newer version of skaudeep.

    See Also
    --------
    save_netcdf : Write such a file.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import make_bunch
    >>> from skaudeep import load_netcdf, save_netcdf
    >>> features = make_bunch(np.zeros((2, 8), np.float32), ["a.wav", "b.wav"])
    >>> with TemporaryDirectory() as folder:
    ...     save_netcdf(features, Path(folder, "features.nc"))
    ...     load_netcdf(Path(folder, "features.nc")).filenames.tolist()
    ['a.wav', 'b.wav']
    """
    file = Path(path).expanduser()
    with memory_for(file):
        return bunch_or_X_y(_load(file, lazy, verify), return_X_y)


def _load(file: Path, lazy: bool, verify: bool) -> Bunch:
    try:
        stored, attributes, columns, shape = read_variables(file, verify)
        bunch = _build_bunch(columns, attributes, stored, shape, str(file))
    except (RuntimeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise damaged_file(str(file), error) from error
    if lazy:
        stored.close()
        return bunch
    try:
        bunch.data = np.asarray(bunch.data)
    except MemoryError:
        raise MemoryError(
            f"{printable(file)}: its data of shape {bunch.data.shape} do not fit into memory. Load "
            "it with lazy=True."
        ) from None
    return bunch


def read_variables(
    path: Path, verify: bool = True
) -> tuple[StoredFile, dict[str, Any], dict[str, NDArray], tuple[int, ...]]:
    """Check and open a file; return its attributes, its columns, and the shape of a row."""
    check_readable(path, "a NetCDF file")
    # Before netCDF4 parses the file: it may crash on damaged ones, or never return.
    with open(path, "rb") as content:
        has_digest = has_checksum(content)
        if verify and has_digest and not verify_checksum(content):
            raise ValueError(
                f"{printable(path)}: does not match its checksum; it was damaged, or changed after "
                "it was written. Restore it or write it again; load a change made on purpose with "
                "verify=False."
            )
        size = os.fstat(content.fileno()).st_size
        stored = StoredFile(str(path), fingerprint(content))
    try:
        with LIBRARY:
            dataset = stored.dataset()
            attributes = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
            check_variables(dataset, path, size)
            shape = dataset["features"].shape[1:]
            known = {*AUDEEP, *OURS} - {"features"}
            columns = {
                name: read_column(dataset[name], path, size)
                for name in known & set(dataset.variables)
            }
    except ReplacedError:
        return read_variables(path, verify)  # replaced by a writer in between
    if verify and "skaudeep" in attributes and not has_digest:
        raise ValueError(
            f"{printable(path)}: has lost its checksum; it was cut short, or changed after it was "
            "written. "
            "Restore it or write it again; load a change made on purpose with verify=False."
        )
    return stored, attributes, columns, shape


def _build_bunch(
    columns: dict[str, NDArray],
    attributes: dict[str, Any],
    stored: StoredFile,
    shape: tuple[int, ...],
    path: str,
) -> Bunch:
    meta, label_map = parse_attributes(attributes, path)
    if meta.get("format", 0) > FORMAT:
        raise ValueError(
            f"{printable(path)}: has format {meta['format']}, written by skaudeep "
            f"{meta.get('version', '?')}; "
            f"this is {__version__}, which reads up to format {FORMAT}. Install a newer skaudeep."
        )
    feature_names = columns.pop("feature_names", None)
    clip, first, instances = group_by_clip(
        columns["filename"], columns["chunk_nr"], path, meta.get("n_chunks")
    )
    columns = reduce_to_clips(columns, clip, first, path)
    target, target_names = decode_target(columns, label_map, path)
    try:
        data = StoredArray(stored, shape, instances)
        bunch = make_bunch(
            data,
            columns.pop("filename").tolist(),
            target=target,
            target_names=target_names,
            folds=None if not columns["cv_folds"].size else columns["cv_folds"],
            partition=decode_partition(columns["partition"], path),
            groups=columns["groups"].tolist() if "groups" in columns else None,
            dims=meta.get("dims", dims_of_instances(data.ndim, instances.ndim == 2)),
            feature_names=None if feature_names is None else feature_names.tolist(),
            descr=str(columns["DESCR"]) if "DESCR" in columns else "",
        )
    except ValueError as error:
        raise ValueError(f"{printable(path)}: {printable(error)}") from None
    bunch.errors = columns.get("error", np.full(len(first), "")).astype(str)
    if "recorded_at" in columns:
        bunch.recorded_at = columns["recorded_at"].astype("datetime64[ns]")
    if "copy_of" in columns:
        return replace_keys(bunch, copy_of=columns["copy_of"].astype(str))
    return bunch


def decode_partition(values: NDArray, path: str) -> list[str]:
    """Return the names of partitions by their numbers; "" for a missing number."""
    numbers = np.where(np.isnan(values), -1, values).astype(int) if values.size else values
    if ((numbers < -1) | (numbers >= len(PARTITIONS))).any():
        raise ValueError(
            f"{printable(path)}: has partition {numbers.max()}, expected 0 (train), 1 (devel) or 2 "
            "(test)."
        )
    return [("", *PARTITIONS)[number + 1] for number in numbers]


# --- writing -------------------------------------------------------------------------------------


def save_netcdf(
    bunch: Bunch,
    path: str | os.PathLike[str],
    *,
    chunked: bool | None = None,
    compression: int = 0,
) -> None:
    """Save a data set as a NetCDF file, which auDeep can read, too.

    The file has auDeep's variables, dimensions, types and attributes. Further variables, which
    auDeep ignores, are `lengths` (number of frames of each instance, if they differ), `groups`,
    `target` (for regression, and if clips may have several classes; auDeep takes such clips for
    unlabelled), `copy_of` (for copies that :func:`~skaudeep.datasets.upsample` made),
    `recorded_at`, `error` (the reason why extraction failed), `feature_names` and `DESCR`. There is
    one further attribute, `skaudeep`. Other keys of the data set, such as `sampling_rate`, are not
    saved, and `data` are saved as float32. The NetCDF content is followed by its SHA-256 checksum,
    which :func:`load_netcdf` verifies.

    The file appears under its name once it is complete: a reader sees either the old file or the
    whole new one. Data on disk are copied a block at a time.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`~skaudeep.datasets.make_bunch`. `data` is numeric:
        spectrograms (n_clips, n_frames, n_bands) or features (n_clips, n_features), each optionally
        with chunks as second axis, or a list of arrays (n_frames, n_bands). Any container whose
        rows can be indexed is read a block at a time. Frames and chunks after a clip's end are NaN.
    path : str or Path
        The file to write. It is replaced if it exists.
    chunked : bool, default=None
        Whether the second axis of `data` counts chunks. None: it does if its name in `dims` is
        "chunk", which is the default for four axes; features of chunks need ``dims=("clip",
        "chunk", "feature")``. In auDeep's layout each chunk is an instance; chunks of NaN alone are
        left out.
    compression : int in [0, 9], default=0
        Compression level of zlib. 0 does not compress. Level 1 makes files of spectrograms about
        two fifths smaller, and several times slower to write and to read in random order. Checksums
        (Fletcher-32 and SHA-256) are written in any case.

    Raises
    ------
    ValueError
        If the bunch contradicts itself, `data` is not numeric, or `compression` is not such a
        level.
    OSError
        If the file cannot be written, for instance because the disk is full. The previous file
        is kept.

    See Also
    --------
    load_netcdf : Load the file.
    extract_to_netcdf : Extract spectrograms directly into a file.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import make_bunch
    >>> from skaudeep import load_netcdf, save_netcdf
    >>> spectrograms = np.zeros((2, 50, 40), np.float32)
    >>> spectrograms[1, 30:] = np.nan  # the second clip is shorter
    >>> bunch = make_bunch(spectrograms, ["a.wav", "b.wav"], target=[0, 1],
    ...                    target_names=["cat", "dog"])
    >>> with TemporaryDirectory() as folder:
    ...     save_netcdf(bunch, Path(folder, "spectrograms.nc"))
    ...     stored = load_netcdf(Path(folder, "spectrograms.nc"))
    >>> stored.data.shape, bool(np.isnan(stored.data[1, 30:]).all())
    ((2, 50, 40), True)
    """
    bunch, chunked = settle_chunks(complete_bunch(bunch), chunked)
    shape, read = row_reader(bunch.data)
    lengths = count_frames(shape, read, chunked)
    write_rows(Path(path).expanduser(), bunch, shape, read, lengths, compression)


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    step = max(1, BLOCK_BYTES // (4 * int(np.prod(shape[1:]))))
    for start in range(0, shape[0], step):
        yield start, min(start + step, shape[0])


def count_frames(shape: tuple[int, ...], read: RowReader, chunked: bool) -> NDArray[np.int64]:
    """Count the frames of each clip, or of each of its chunks, up to the last that is not NaN.

    Parameters
    ----------
    shape : tuple of int
        Shape of the data: (n_clips, ...), or (n_clips, n_chunks, ...).
    read : callable
        `read(start, stop)` returns the rows from start to stop, float32.
    chunked : bool
        Whether the second axis counts chunks.

    Returns
    -------
    ndarray of shape (n_clips,) or (n_clips, n_chunks), int64
        Number of frames; 0 if all values are NaN.

    Raises
    ------
    ValueError
        If there are no axes after that of the chunks.
    """
    item = shape[2:] if chunked else shape[1:]
    if not item:
        raise ValueError(
            f"Got data of shape {shape} with chunked=True, expected a third axis: "
            "(n_clips, n_chunks, n_features) or more."
        )
    lengths = np.zeros(shape[: 1 + chunked], dtype=np.int64)
    for start, stop in _blocks(shape):
        counts = frame_counts(read(start, stop).reshape(-1, *item))
        lengths[start:stop] = counts.reshape(lengths[start:stop].shape)
    return lengths


def write_rows(
    path: Path,
    bunch: Bunch,
    shape: tuple[int, ...],
    read: RowReader,
    lengths: NDArray[np.int64],
    compression: int,
) -> None:
    """Write a data set whose rows are read a block at a time.

    Parameters
    ----------
    path : Path
        The file to write. It is replaced if it exists.
    bunch : Bunch
        The data set, as `complete_bunch` returns it. Its `data` are ignored.
    shape : tuple of int
        Shape of the data: (n_clips, ...), or (n_clips, n_chunks, ...).
    read : callable
        `read(start, stop)` returns the rows from start to stop, float32.
    lengths : ndarray of shape (n_clips,) or (n_clips, n_chunks), int64
        Number of frames, as `count_frames` returns it. With two axes, the data have chunks.
    compression : int in [0, 9]
        Level of zlib; 0 does not compress.

    Raises
    ------
    ValueError
        If `compression` is out of its range.
    OSError
        If the file cannot be written.
    """
    check_compression(compression)
    item = shape[lengths.ndim :]
    n_chunks = lengths.shape[1] if lengths.ndim > 1 else None
    lengths = lengths.reshape(len(lengths), -1)
    there = lengths > 0
    there[:, 0] = True  # a clip that could not be read keeps one row
    clip, chunk_nr = there.nonzero()
    check_padding((len(there), there.shape[1]), len(clip), str(path))  # or it cannot be loaded

    meta = {
        "format": FORMAT,
        "version": __version__,
        "n_chunks": n_chunks,
        "dims": list(bunch.dims),
    }
    with replacing(path) as temporary:
        try:
            with _new_dataset(temporary) as dataset:
                with LIBRARY:
                    features = _create_variables(dataset, bunch, clip, item, compression)
                    dataset["chunk_nr"][:] = chunk_nr
                    if len(item) > 1 and (lengths[there] < item[0]).any():
                        dataset.createVariable("lengths", "i8", ("instance",))[:] = lengths[there]
                    dataset.skaudeep = json.dumps(meta)
                end = 0
                for start, stop in _blocks(shape):
                    rows = read(start, stop).reshape(-1, *item)
                    if not (here := there[start:stop].ravel()).all():
                        rows = rows[here]
                    with LIBRARY:  # not held while rows are read
                        features[end : end + len(rows)] = rows
                    end += len(rows)
                    del rows  # before the next ones are read
        except RuntimeError as error:  # netCDF4 raises it without errno
            raise OSError(
                f"{printable(path)}: could not be written ({printable(error)}). Check that the "
                "disk has space left."
            ) from error
        append_checksum(temporary)


@contextmanager
def _new_dataset(path: Path) -> Iterator[netCDF4.Dataset]:
    with LIBRARY, plain_path(path) as name:
        dataset = netCDF4.Dataset(name, "w")
    try:
        yield dataset
    except BaseException:
        with LIBRARY, suppress(RuntimeError):  # report the first error
            dataset.close()
        raise
    with LIBRARY:
        dataset.close()


def _create_variables(
    dataset: netCDF4.Dataset,
    bunch: Bunch,
    clip: NDArray[np.int64],
    item: tuple[int, ...],
    compression: int,
) -> netCDF4.Variable:
    """Write all variables of auDeep's files except the features; return the variable for these."""
    dims = {1: ["generated"], 2: ["time", "freq"]}.get(
        len(item), [f"feature_{axis}" for axis in range(len(item))]
    )
    dataset.createDimension("instance", len(clip))
    dataset.createDimension("fold", bunch.folds.shape[1])
    for name, length in zip(dims, item, strict=True):
        dataset.createDimension(name, length)

    def column(name: str, values: NDArray, *others: str) -> None:
        kind = str if values.dtype.kind in "UO" else values.dtype
        if values.dtype.kind == "U":
            values = values.astype(object)
        dataset.createVariable(name, kind, ("instance", *others))[:] = values[clip]

    def numbers(values: NDArray) -> NDArray:
        # auDeep stores missing numbers as NaN, which only floats can hold.
        return values if (values >= 0).all() else np.where(values >= 0, values, np.nan)

    nothing = np.full(len(bunch.filenames), np.nan)
    labels, classes = bunch.target, bool(bunch.target_names)
    # They are objects, because in an array of str one long name would make all others as long.
    names = np.array(["", *bunch.target_names], dtype=object)
    column("filename", bunch.filenames)
    dataset.createVariable("chunk_nr", "i8", ("instance",))
    column("cv_folds", bunch.folds.astype(np.int64 if bunch.folds.size else np.float64), "fold")
    column("partition", numbers(np.array([PARTITION_NUMBER[part] for part in bunch.partition])))
    several = labels.ndim > 1
    column("label_nominal", names[labels + 1] if classes and not several else nothing)
    column("label_numeric", numbers(labels) if classes and not several else nothing)
    if several:
        dataset.createDimension("class", labels.shape[1])
        column("target", labels if labels.dtype.kind == "f" else labels.astype(np.int8), "class")
    elif labels.dtype.kind == "f":
        column("target", labels)
    if (bunch.groups != "").any():
        column("groups", bunch.groups)
    if "copy_of" in bunch:
        column("copy_of", bunch.copy_of)
    if "recorded_at" in bunch:
        column("recorded_at", bunch.recorded_at.astype(np.int64))
        dataset["recorded_at"].units = "nanoseconds since 1970-01-01"  # for other programs
    if (bunch.errors != "").any():
        column("error", bunch.errors)
    if len(bunch.get("feature_names", ())) == item[-1]:
        of_features = np.array(bunch.feature_names, dtype=object)
        dataset.createVariable("feature_names", str, (dims[-1],))[:] = of_features
    if bunch.DESCR:
        dataset.createVariable("DESCR", str, ())[...] = bunch.DESCR
    dataset.feature_dims = json.dumps(dims)
    label_map = sorted((name, number) for number, name in enumerate(bunch.target_names))
    dataset.label_map = json.dumps(label_map if classes else None)

    row_bytes = 4 * int(np.prod(item))
    rows = min(len(clip), max(1, CHUNK_BYTES // row_bytes))
    frames = min(item[0], max(1, item[0] * MAX_CHUNK_BYTES // row_bytes))
    filters: dict[str, Any] = {}
    if compression:
        filters = {"compression": "zlib", "complevel": compression, "shuffle": True}
    features = dataset.createVariable(
        "features",
        "f4",
        ("instance", *dims),
        fill_value=np.float32(np.nan),
        chunksizes=(rows, frames, *item[1:]),
        fletcher32=True,
        **filters,
    )
    # By default netCDF4 caches up to 64 MB of file chunks; blocks are written in order and once.
    features.set_var_chunk_cache(CACHE_BYTES)
    return features
