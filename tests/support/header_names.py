"""Writes a record whose header has a name that is not UTF-8, which no Python client can: through librdkafka itself."""

import ctypes
from pathlib import Path

import confluent_kafka

__all__ = ["produce_with_header_name"]

_PRODUCER, _END, _TOPIC, _VALUE, _FLAGS, _HEADER, _COPY = 0, 0, 1, 4, 7, 9, 2  # of rdkafka.h
_FLUSH_MS = 20_000


def produce_with_header_name(servers: str, topic: str, name: bytes, value: bytes) -> None:
    """Write a record with one header of this name, and wait until it is acknowledged."""
    library = _librdkafka()
    error = ctypes.create_string_buffer(512)
    room = ctypes.c_size_t(len(error))
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    assert library.rd_kafka_conf_set(conf, b"bootstrap.servers", servers.encode(), error, room) == 0, error.value
    producer = ctypes.c_void_p(library.rd_kafka_new(_PRODUCER, conf, error, room))
    assert producer.value, error.value
    refused = library.rd_kafka_producev(
        producer,
        *(_TOPIC, ctypes.c_char_p(topic.encode())),
        *(_VALUE, ctypes.c_char_p(value), ctypes.c_size_t(len(value))),
        *(_FLAGS, _COPY),
        *(_HEADER, ctypes.c_char_p(name), ctypes.c_char_p(b"v"), ctypes.c_ssize_t(1)),
        _END,
    )
    assert refused == 0
    assert library.rd_kafka_flush(producer, _FLUSH_MS) == 0, "not acknowledged in time"
    library.rd_kafka_destroy(producer)


def _librdkafka() -> ctypes.CDLL:
    """Return the library that the client brings along."""
    package = Path(confluent_kafka.__file__).parent
    folders = (package.with_name("confluent_kafka.libs"), package / ".dylibs")
    (path,) = (each for folder in folders for each in folder.glob("librdkafka*"))
    library = ctypes.CDLL(str(path))
    library.rd_kafka_conf_new.restype = library.rd_kafka_new.restype = ctypes.c_void_p
    return library
