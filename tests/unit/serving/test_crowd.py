"""Who gives way when a server has too many connections."""

from signal_pipeline.serving.crowd import Crowd


class Member:
    """A connection that notes whether it had to go."""

    gone = False

    def give_way(self) -> None:
        """Note it."""
        self.gone = True


def test_the_one_that_has_waited_longest_gives_way() -> None:
    """Of three at a bound of two, the first goes; one that has a request to answer stays."""
    crowd = Crowd(2)
    first, second, third, fourth = (Member() for _ in range(4))
    assert all(crowd.enter(each) for each in (first, second))
    crowd.works(first)
    assert crowd.enter(third)
    assert (first.gone, second.gone, third.gone) == (False, True, False)
    crowd.leave(second)
    crowd.waits(first)
    assert crowd.enter(fourth)
    assert (first.gone, third.gone) == (False, True)  # third has waited since it came, first only since its answer


def test_without_anyone_who_waits_there_is_no_room() -> None:
    """While every connection has a request that runs, a new one is told so, and later there is room."""
    crowd = Crowd(1)
    busy, new = Member(), Member()
    crowd.enter(busy)
    crowd.works(busy)
    assert not crowd.enter(new)
    assert not busy.gone
    crowd.leave(new)
    crowd.leave(busy)
    assert crowd.enter(Member())
