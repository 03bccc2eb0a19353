"""Headers of a message as the Kafka client has them.

The client gives their names as text. A name that is not UTF-8, which any broker takes, it cannot give: reading raises,
and raises no more the second time, when the name is a null pointer that must not be touched. Such a record stands for
itself with one header that no CloudEvent may have: it is poison, and not the end of whoever reads it.
"""

from typing import Any, Final

from signal_pipeline.events.kafka import Headers

__all__ = ["UNREADABLE", "headers_of"]

# With it the record is a CloudEvent of no known version, whatever its value is: never taken for a plain record.
UNREADABLE: Final[Headers] = (("ce_specversion", b"unknown: a header's name is not UTF-8"),)


def headers_of(message: Any) -> Headers:
    """Return the headers of a message, in their order."""
    try:
        return tuple(message.headers() or ())
    except (SystemError, UnicodeDecodeError):  # the latter is what a later client may raise
        return UNREADABLE
