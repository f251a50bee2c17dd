"""The codecs by name: the built-in ones, those registered, and those of installed packages."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, get_args

from persistent_collections.codecs.base import Codec, Format
from persistent_collections.errors import ConfigurationError
from persistent_collections.remedies import ImportModule
from persistent_collections.suggestions import suggestion

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

ENTRY_POINT_GROUP: Final = "persistent_collections.codecs"
"""The entry point group of codecs: ``name = "module:codec"``, which is a codec or a function that returns one."""

_BUILT_IN: Final = {
    "str": "text:TextCodec",
    "json": "json:JSONCodec",
    "msgpack": "msgpack:MsgpackCodec",
    "reference": "reference:ReferenceCodec",
    "bcrypt": "bcrypt:BcryptCodec",
}
_codecs: Final[dict[str, Codec]] = {}


def register_codec(codec: Codec, *, replace: bool = False) -> None:
    """Register ``codec``, so that it can be chosen by its name; no I/O. Registering it again does nothing.

    ::

        from persistent_collections.codecs import Compressed

        register_codec(Compressed(get_codec("json"), name="small"), replace=True)
        texts = PersistentList("texts", ["a" * 1000], codec="small")
        assert texts[0] == "a" * 1000

    Raises:
        ConfigurationError: The name is taken by another codec, or this is not a codec.
    """
    _require_codec(codec)
    taken = codec.name in _codecs or codec.name in _BUILT_IN
    if taken and not replace and _codecs.get(codec.name) is not codec:
        raise ConfigurationError(
            f"the name {codec.name!r} is another codec's; choose another, or put yours in its place with replace=True"
        )
    _codecs[codec.name] = codec


def get_codec(name: str) -> Codec:
    """Return the codec of this name, importing it if necessary; no I/O.

    ::

        assert get_codec("json").encode({"a": 1}) == b'{"a":1}'

    Raises:
        ConfigurationError: No codec has this name, or the package it needs is not installed.
    """
    if name not in _codecs:
        _codecs[name] = _load(name)
    return _codecs[name]


def codec_of(source: str | Codec) -> Codec:
    """Return the codec that a choice is or names.

    Raises:
        ConfigurationError: It is neither, or no codec has this name.
    """
    if isinstance(source, str):
        return get_codec(source)
    _require_codec(source)
    return source


def _require_codec(given: Any) -> None:
    """Raise ``ConfigurationError`` if ``given`` is not a codec, or one whose class is not complete."""
    if isinstance(given, type):
        raise ConfigurationError(f"{given.__name__} is a class; give the codec that it makes: {given.__name__}()")
    if not isinstance(given, Codec):
        raise ConfigurationError(f"a codec is an instance of Codec, not {given!r}")
    cls = type(given).__name__
    if not isinstance(getattr(given, "name", None), str):
        raise ConfigurationError(f"{cls} has no name; write name = '…' in the class")
    if getattr(given, "format", None) not in get_args(Format):
        raise ConfigurationError(f"{cls} has no format; write format = 'text', 'json' or 'binary' in the class")


def known_codecs() -> list[str]:
    """Return every name that :func:`get_codec` knows, whether or not its dependencies are installed."""
    return sorted({*_BUILT_IN, *_codecs, *_entry_points().names})


def _entry_points() -> EntryPoints:
    from importlib.metadata import entry_points  # noqa: PLC0415 - it takes long, and few need it

    return entry_points(group=ENTRY_POINT_GROUP)


def _load(name: str) -> Codec:
    if name in _BUILT_IN:
        module, _, made = _BUILT_IN[name].partition(":")
        return _made(name, getattr(import_module(f"persistent_collections.codecs.{module}"), made))
    points = {point.value: point for point in _entry_points().select(name=name)}
    if not points:
        hint = suggestion(name, known_codecs())
        own = [] if hint.endswith("?") else [ImportModule("if it is yours, import the module that registers it")]
        raise ConfigurationError(f"no codec is called {name!r} (register_codec adds one); {hint}").with_remedies(*own)
    if len(points) > 1:
        raise ConfigurationError(
            f"the codec {name!r} is in two packages, as {' and '.join(points)}; register_codec one"
        )
    [point] = points.values()
    try:
        return _made(name, point.load())
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the codec {name!r} cannot be loaded from {point.value!r}: {error}") from error


def _made(name: str, target: Any) -> Codec:
    codec = target if isinstance(target, Codec) else target()
    if not isinstance(codec, Codec) or codec.name != name:
        raise ConfigurationError(f"the package that provides the codec {name!r} has no Codec of that name")
    _require_codec(codec)
    return codec
