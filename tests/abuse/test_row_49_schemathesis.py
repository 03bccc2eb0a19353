"""Row 49: what schemathesis derives from the OpenAPI documents, with requests that are the same each time."""

import pytest

from tests.abuse.fuzz.documents import compare
from tests.abuse.fuzz.run import Security

_EXAMPLES = 15


@pytest.mark.parametrize("security", ["off", "on"])
def test_row_49_every_answer_is_as_its_document_says(security: Security) -> None:
    """Data that fits a document and data that does not are answered with a status and a body that it names, no 5xx."""
    report = compare(49, _EXAMPLES, security=security)
    assert not report.faults, "\n".join(report.faults)
    assert report.sent > 400
    assert min(report.roles.values()) > 30
    assert not [status for status in report.statuses if status >= 500]
