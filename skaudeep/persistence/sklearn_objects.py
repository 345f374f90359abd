"""Conversion of scikit-learn's rarer steps to bytes and back, by skops with further checks."""

from __future__ import annotations

import json
import re
import stat
import zipfile
from io import BytesIO
from types import ModuleType
from typing import Any

from skaudeep._base import SKLEARN_CLASSES

# Of skops' nodes those that steps on features need. Sparse matrices, raw bytes, generators, methods
# and the nodes of earlier versions stay out.
_NODES = {
    "DictNode",
    "FunctionNode",
    "JsonNode",
    "ListNode",
    "LossNode",
    "MaskedArrayNode",
    "NdArrayNode",
    "ObjectNode",
    "RandomStateNode",
    "TupleNode",
    "TypeNode",
}
_PROTOCOL = 2
_ARRAY_TYPES = re.compile(r"ndarray|bool|bool_|u?int\d+|float\d+|str_")
_VERSION = re.compile(r"[\w.+-]{1,80}")
_FILES = re.compile(r"schema\.json|\d+\.npy")
KEY_DIGITS = 18  # number of digits of integers below 2**60
MAX_OTHER_KEYS = 1000  # largest number of other keys of a dictionary
MT19937_WORDS = 624  # numpy reads its state at a position that it does not check


def dump_step(step: Any) -> bytes:
    """Turn a step of scikit-learn into bytes that `load_step` takes.

    Parameters
    ----------
    step : object
        An estimator, or another object of scikit-learn or scipy.

    Returns
    -------
    bytes
        A file in skops' format.

    Raises
    ------
    ImportError
        Without skops.
    ValueError
        If skops cannot store it, or `load_step` would refuse it.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> load_step(dump_step(StandardScaler().fit([[1.0], [3.0]]))).mean_
    array([2.])
    """
    skops_io = _skops()
    try:
        data = skops_io.dumps(step)
    except Exception as error:  # whatever the step's own __getstate__ or __reduce__ raises
        raise ValueError(f"skops cannot store it ({error})") from error
    data = _without_memory(data)
    _audit(data)
    return data


def load_step(data: bytes) -> Any:
    """Build a step of scikit-learn from bytes that may come from anyone.

    Parameters
    ----------
    data : bytes
        As `dump_step` returns them.

    Returns
    -------
    object

    Raises
    ------
    ImportError
        Without skops.
    ValueError
        If the bytes name types other than the known ones of scikit-learn, scipy and numpy, or are
        not what `dump_step` writes.
    """
    skops_io = _skops()
    _audit(data)
    return skops_io.loads(data, trusted=SKLEARN_CLASSES)


def read_members(data: bytes, names: re.Pattern[str]) -> dict[str, bytes]:
    """Read a zip archive of uncompressed files with expected names, to memory alone.

    Parameters
    ----------
    data : bytes
        The archive.
    names : re.Pattern
        What every name must match in full.

    Returns
    -------
    dict of str to bytes

    Raises
    ------
    ValueError
        If it is no such archive: a name is twice there or is another, a file is compressed,
        encrypted or a link, or the sizes do not add up.

    Examples
    --------
    >>> buffer = BytesIO()
    >>> with zipfile.ZipFile(buffer, "w") as archive:
    ...     archive.writestr("../a", b"")
    >>> read_members(buffer.getvalue(), re.compile("a"))
    Traceback (most recent call last):
        ...
    ValueError: holds a file named '../a', which does not belong there
    """
    with zipfile.ZipFile(BytesIO(data)) as archive:
        infos = archive.infolist()
        found: set[str] = set()
        for info in infos:
            if not names.fullmatch(info.filename):
                raise ValueError(
                    f"holds a file named {info.filename[:80]!r}, which does not belong there"
                )
            if info.filename in found:
                raise ValueError(f"holds two files named {info.filename!r}")
            found.add(info.filename)
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                raise ValueError(f"its {info.filename} is a link or another special file")
            plain = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1
            if not plain or info.file_size != info.compress_size:
                raise ValueError(f"its {info.filename} is compressed or encrypted")
        if sum(info.file_size for info in infos) > len(data):
            raise ValueError("announces more than it holds")
        return {info.filename: archive.read(info) for info in infos}


def _skops() -> ModuleType:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            "This step of scikit-learn is stored with skops. Install it with: "
            "pip install 'skaudeep[persistence]'"
        ) from error
    return skops.io


def _without_memory(data: bytes) -> bytes:
    """Set all `memory=` in a file of skops to None: folders of this machine, with pickles."""
    members = read_members(data, _FILES)
    schema = json.loads(members["schema.json"])
    if not _forget_memory(schema):
        return data
    members["schema.json"] = json.dumps(schema).encode()
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _forget_memory(node: Any) -> int:
    """Set all `memory` within a node to None, and count those that were anything else."""
    if isinstance(node, list):
        return sum(map(_forget_memory, node))
    if not isinstance(node, dict):
        return 0
    found = _memory_of(node) is not None
    if found:
        # The node has no id, because the same text may occur elsewhere, too.
        node["content"]["content"]["memory"] = {
            "__class__": "str",
            "__module__": "builtins",
            "__loader__": "JsonNode",
            "content": "null",
            "is_json": True,
        }
    return found + sum(map(_forget_memory, node.values()))


def _memory_of(node: dict[str, Any]) -> Any:
    """Return the node of an object's `memory`, where it has one other than None."""
    attributes = node.get("content")
    if node.get("__loader__") != "ObjectNode" or attributes is None:
        return None
    if attributes["__loader__"] != "DictNode":  # JSON could hold anything
        raise ValueError(f"holds {node['__class__']} with attributes in no dictionary")
    memory = attributes["content"].get("memory")
    is_none = memory is not None and memory["__loader__"] == "JsonNode"
    return None if is_none and memory["content"] == "null" else memory


def _audit(data: bytes) -> None:
    """Raise ValueError for all that could harm in a file of skops before anything is built."""
    members = read_members(data, _FILES)
    schema = json.loads(members["schema.json"])
    if schema.get("protocol") != _PROTOCOL:
        raise ValueError(
            f"holds a step in protocol {schema.get('protocol')!r} of skops, expected {_PROTOCOL}"
        )
    # Looked through here before skops does: it takes for ever where nodes refer to each other.
    harmful: set[str] = set()
    _audit_node(schema, {}, harmful)
    if not harmful:
        harmful = set(_skops().get_untrusted_types(data=data)) - set(SKLEARN_CLASSES)
    if harmful:
        raise ValueError(
            f"holds types that may do harm, or that nobody vouches for: {sorted(harmful)}. "
            "Expected transformers and linear, kernel or neural models of scikit-learn"
        )


def _audit_node(node: Any, seen: dict[Any, int], harmful: set[str]) -> int:
    """Add the types of all nodes that stay out to `harmful`; refuse what no writer writes.

    Returns a hash of the node, but for ids.
    """
    if isinstance(node, list):
        return hash(tuple(_audit_node(item, seen, harmful) for item in node))
    if not isinstance(node, dict):
        return hash(node)
    kind = node.get("__loader__")
    if kind is not None and kind not in _NODES:
        harmful.add(f"{node['__module__']}.{node['__class__']}")
    if _memory_of(node) is not None:
        raise ValueError(
            f"holds {node['__class__']} with memory=, a folder that pickles are loaded from"
        )
    if kind == "DictNode":
        _audit_keys(node)
        _audit_version(node["content"].get("_sklearn_version"))
    if kind == "NdArrayNode" and not _ARRAY_TYPES.fullmatch(node["__class__"]):
        raise ValueError(f"holds an array of type {node['__class__']!r}")
    if kind == "RandomStateNode":
        _audit_random_state(node["content"])
    content = hash(
        tuple(
            (key, _audit_node(value, seen, harmful))
            for key, value in node.items()
            if key != "__id__"
        )
    )
    # skops builds a second node of the same id from the first: they have to be the same, or a small
    # file could grow without end.
    if "__id__" in node and seen.setdefault(node["__id__"], content) != content:
        raise ValueError("holds two different objects of one id")
    return content


def _audit_version(node: Any) -> None:
    version = None if node is None else json.loads(node["content"])
    if version is not None:
        check_version(version)


def check_version(version: str) -> None:
    """Raise ValueError for a version that is none, and would be printed in a warning.

    Parameters
    ----------
    version : str
        That of the scikit-learn that made a step.
    """
    if not _VERSION.fullmatch(version):
        raise ValueError(f"holds a step of version {version[:80]!r} of scikit-learn")


def _audit_keys(node: dict[str, Any]) -> None:
    """Raise a ValueError about dictionaries that are built to be slow, see `serialize`."""
    types = node["key_types"]["content"]
    others = [
        key
        for key, kind in zip(node["content"], types, strict=True)
        if kind["__class__"] != "str" and len(key) > KEY_DIGITS
    ]
    check_n_keys(len(others))


def check_n_keys(n_keys: int) -> None:
    """Raise ValueError if a dictionary has too many keys that might be made to have one hash.

    Hashes of text are secret, and integers below 2**60 have each their own.

    Parameters
    ----------
    n_keys : int
        Number of keys that are neither.
    """
    if n_keys > MAX_OTHER_KEYS:
        raise ValueError(
            f"holds a dictionary with {n_keys} keys that are neither text nor small integers, "
            f"expected at most {MAX_OTHER_KEYS}"
        )


def _audit_random_state(node: dict[str, Any]) -> None:
    state = node["content"]["state"]
    position = state["content"]["pos"]
    kinds = [part["__loader__"] for part in (node, state, position)]
    if kinds != ["DictNode", "DictNode", "JsonNode"] or not is_position(
        json.loads(position["content"])
    ):
        raise ValueError("holds a random generator in no state that it can be in")


def is_position(value: Any) -> bool:
    """Return whether a value is a valid position of a Mersenne twister, which numpy does not check.

    Examples
    --------
    >>> is_position(624), is_position(625)
    (True, False)
    """
    return type(value) is int and 0 <= value <= MT19937_WORDS
