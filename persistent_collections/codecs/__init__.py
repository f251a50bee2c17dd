"""The codecs: the interface, the registries of codecs and types, and one module a codec."""
