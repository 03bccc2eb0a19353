"""Headers of a message as the Kafka client has them.

The client gives their names as text. A name that is not UTF-8, which any broker takes, it cannot give: it returns a
list with null pointers and an error beside it. Whoever calls through C's protocol gets a SystemError; a warm call site
of Python does not look, and the null pointers end the process. Asked a second time the client gives the list without
the error. So it is asked once, through C, and such a record stands for itself with one header that no CloudEvent may
have: it is poison, and not the end of whoever reads it.
"""

from operator import methodcaller
from typing import Any, Final

from signal_pipeline.events.kafka import Headers

__all__ = ["UNREADABLE", "headers_of"]

# With it the record is a CloudEvent of no known version, whatever its value is: never taken for a plain record.
UNREADABLE: Final[Headers] = (("ce_specversion", b"unknown: a header's name is not UTF-8"),)

_ASKED = methodcaller("headers")  # calls as C does, however often it is called


def headers_of(message: Any) -> Headers:
    """Return the headers of a message, in their order."""
    try:
        return tuple(_ASKED(message) or ())
    except (SystemError, UnicodeDecodeError):  # the latter is what a later client may raise
        return UNREADABLE
