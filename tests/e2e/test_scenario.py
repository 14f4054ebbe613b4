# SPDX-License-Identifier: MIT
"""The scenarios of tests/scenario over sockets, against the real programs (harness/scenario.py)."""
import pytest
from harness import places
from harness.scenario import FOLDER, Instance, Play, Scenario, matches, message_end, unescape

SCENARIOS = sorted((s for s in map(Scenario, FOLDER.glob("*.smtp")) if s.only != "memory"), key=lambda s: (s.key, s.name))


class Stage:
    """The one postern that runs now. Scenarios are sorted so that those which can share it follow each other."""

    def __init__(self):
        self.instance = self.key = self.home = None

    def instance_for(self, scenario):
        if self.instance and (self.key != scenario.key or self.instance.postern.process.poll() is not None):
            self.leave(clean=True)
        if not self.instance:
            self.home, self.key = places.make_directory(), scenario.key
            self.instance = Instance(self.home, scenario)
        return self.instance

    def leave(self, clean):
        """CLEAN: it must end as it should."""
        instance, self.instance = self.instance, None
        if not instance:
            return
        instance.forget()
        for server in list(instance.listeners):
            instance.down(server)
        try:
            if clean and instance.postern.process.returncode is None:
                instance.postern.stop()
        finally:
            instance.postern.kill()
            places.remove_directory(self.home)


@pytest.fixture(scope="module")
def stage():
    the_stage = Stage()
    yield the_stage
    the_stage.leave(clean=True)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=repr)
def test_scenario(stage, scenario):
    try:
        instance = stage.instance_for(scenario)
        Play(scenario, instance).run()
        instance.forget()
        instance.postern.book.settle()
        instance.postern.book.check()
        instance.postern.book.turn_page()
    except BaseException:
        stage.leave(clean=False)
        raise


def test_there_are_scenarios():
    assert len(SCENARIOS) > 30


def test_player_reads_what_the_other_one_reads():
    assert unescape(r"a\r\n\0\\\xff") == b"a\r\n\0\\\xff"
    assert matches("a*c", "abc") and matches("*", "") and not matches("a*c", "abcd") and not matches("a", "ab")
    assert message_end(b".\r\n") == 3 and message_end(b"a\r\n.\r\nb") == 6 and message_end(b"a\n.\n") == 0
