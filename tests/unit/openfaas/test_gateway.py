"""What the connector asks of a gateway, and what it makes of each answer."""

from collections.abc import AsyncIterator

import pytest

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings
from signal_pipeline.trigger.openfaas.gateway import DeployedFunction, Gateway
from tests.support.gateway import FakeGateway, basic


@pytest.fixture
async def fake() -> AsyncIterator[FakeGateway]:
    """A gateway with a function that subscribes and one that does not."""
    async with FakeGateway() as gateway:
        gateway.deploy("orders", "http://127.0.0.1:1", topic="a, b,a,,c")
        gateway.deploy("nodeinfo", "http://127.0.0.1:1")
        yield gateway


async def asked(fake: FakeGateway, **settings: str) -> tuple[DeployedFunction, ...]:
    """Ask the gateway once."""
    async with Gateway(Settings(_env_file=None, openfaas_url=fake.url + "/", **settings)) as gateway:
        return await gateway.functions()


async def test_functions_with_their_topics(fake: FakeGateway) -> None:
    """The annotation is a list separated by commas, blanks and repetitions count for nothing."""
    orders, nodeinfo = await asked(fake)
    assert (orders.name, orders.topics) == ("orders", ("a", "b", "c"))
    assert (nodeinfo.name, nodeinfo.topics) == ("nodeinfo", ())


async def test_the_login_is_sent_where_there_is_one(fake: FakeGateway) -> None:
    """User and password go as basic authentication; without a user nothing goes."""
    fake.login = ("admin", "päss")
    assert await asked(fake, openfaas_username="admin", openfaas_password="päss")
    with pytest.raises(DependencyUnavailable, match="401"):
        await asked(fake, openfaas_password="päss")
    assert fake.questions == [basic("admin", "päss"), None]


@pytest.mark.parametrize("listing", ["", "{}", "[1]", '[{"image": "x"}]', '[{"name": "../x"}]', "null"])
async def test_what_is_no_list_of_functions_is_no_answer(fake: FakeGateway, listing: str) -> None:
    """An unreadable answer means that nothing is known, which is not the same as no functions."""
    fake.listing = listing
    with pytest.raises(DependencyUnavailable, match="cannot be read"):
        await asked(fake)


async def test_no_functions_is_an_answer(fake: FakeGateway) -> None:
    """An empty list is believed."""
    fake.listing = "[]"
    assert await asked(fake) == ()


async def test_a_gateway_that_is_away(fake: FakeGateway) -> None:
    """No connection means that nothing is known."""
    await fake.stop()
    with pytest.raises(DependencyUnavailable, match="does not answer"):
        await asked(fake)


async def test_where_a_function_is_called() -> None:
    """A function has its path on the gateway, whether the setting ends with a slash or not."""
    for url in ("http://gateway:8080", "http://gateway:8080/"):
        assert Gateway(Settings(_env_file=None, openfaas_url=url)).address("x") == "http://gateway:8080/function/x"


def test_the_default_is_this_machine() -> None:
    """Without a setting the gateway is where the local one listens, moved with all ports."""
    assert Settings(_env_file=None).openfaas_url == "http://127.0.0.1:8080"
    assert Settings(_env_file=None, port_offset=100).openfaas_url == "http://127.0.0.1:8180"
