"""Headers on their way through the local gateway."""

from hypothesis import given
from hypothesis import strategies as st

from local.gateway.headers import Origin, answer_headers, call_id, has_body, request_headers

ORIGIN = Origin(address="192.0.2.7", scheme="https", call_id="call-1", started_ns=5)
tokens = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)


def test_who_called_is_what_the_gateway_saw() -> None:
    """What a caller writes about addresses does not arrive, in whatever form."""
    forged = [(b"host", b"gw:8080"), (b"forwarded", b"for=1.1.1.1")]
    forged += [(f"x-forwarded-{name}".encode(), b"1.1.1.1") for name in ("for", "host", "proto", "for")]
    passed = request_headers(forged, ORIGIN)
    assert passed.getall("X-Forwarded-For") == ["192.0.2.7"]
    assert passed.getall("X-Forwarded-Host") == ["gw:8080"]
    assert passed.getall("X-Forwarded-Proto") == ["https"]
    assert "forwarded" not in passed
    assert "host" not in passed


def test_a_call_is_named_and_timed() -> None:
    """Function and caller get the same X-Call-Id and X-Start-Time, once each."""
    passed = request_headers([(b"x-call-id", b"other"), (b"x-start-time", b"9")], ORIGIN)
    assert passed.getall("x-call-id") == ["call-1"]
    assert passed.getall("x-start-time") == ["5"]
    assert answer_headers([], ORIGIN) == [(b"x-call-id", b"call-1"), (b"x-start-time", b"5")]


def test_a_callers_own_id_is_kept_when_it_is_one() -> None:
    """A blank, a control character or a page of text is no id."""
    assert call_id([(b"x-call-id", b"abc-1")]) == "abc-1"
    assert [call_id([(b"x-call-id", bad)]) for bad in (b"", b"a b", b"\xe9", b"x" * 129)] == [None] * 4
    assert call_id([]) is None


def test_a_body_is_expected_when_the_headers_say_so() -> None:
    """A length of 0 is none."""
    assert has_body([(b"content-length", b"1")])
    assert has_body([(b"transfer-encoding", b"chunked")])
    assert not has_body([(b"content-length", b"0")])
    assert not has_body([])


@given(st.lists(st.tuples(tokens, values), max_size=8), st.lists(tokens, max_size=3))
def test_what_belongs_to_a_connection_stays_on_it(given_headers: list[tuple[str, str]], named: list[str]) -> None:
    """Neither the standard names nor those that Connection lists pass, in either direction; all others do, in order."""
    raw = [(name.encode(), value.encode()) for name, value in given_headers]
    raw.append((b"connection", ", ".join(named).upper().encode()))
    stays = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", *named}
    stays |= {"proxy-connection", "proxy-authenticate", "proxy-authorization"}
    ours = {
        "host",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-call-id",
        "x-start-time",
    }
    back = [(name.decode(), value.decode()) for name, value in answer_headers(raw, ORIGIN)[:-2]]
    assert back == [(name, value) for name, value in given_headers if name not in stays]
    there = [(name, value) for name, value in request_headers(raw, ORIGIN).items() if name.lower() not in ours]
    assert there == [(name, value) for name, value in given_headers if name not in stays | ours]
