# SPDX-License-Identifier: MIT
"""The scenarios of tests/scenario over sockets, against the real programs (harness/scenario.py)."""
import shutil
import subprocess

import pytest
from harness import places
from harness.scenario import FOLDER, Failed, Instance, Play, Scenario, matches, message_end, unescape

SCENARIOS = sorted(map(Scenario, FOLDER.glob("*.smtp")), key=lambda s: (s.key, s.name))
ENOUGH = 150  # there are more; a folder that was not found, or half of it, is noticed


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
            elif clean:
                instance.postern.check_end()
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
    if scenario.only == "memory":
        pytest.skip(f"only in memory: {scenario.only_because}")
    try:
        instance = stage.instance_for(scenario)
        book = instance.postern.book
        book.excuses = dict(scenario.excuses)
        Play(scenario, instance).run()
        instance.forget()
        book.settle()
        book.recover()
        book.check()
        book.turn_page()
    except BaseException:
        stage.leave(clean=False)
        raise


ONE_CLEAN_MESSAGE = "include data.part\ninclude clean.part\ninclude delivered.part\n"
WRONG_COUNTERS = [
    # lines, what either player says of them
    ("counter fake1 clean = 2", "counter fake1 clean is 1, expected 2"),
    ("counter fake1 clean = 1\ncounter fake1 infected = 1", "counter fake1 infected is 0, expected 1"),
    ("counter fake1 messages_checked = 1", "no line `counter` expects"),
    ("", "no line `counter` expects"),
    ("counter fake1 clean = 1\ncounter quarantine all_entries = 1", "counter quarantine all_entries is 0, expected 1"),
    ("counter fake2 clean = 1", "there is no such engine"),
    ("counter fake1 cleam = 1", "there is no such counter"),
    ("counter fake1 clean is 1", "expected `counter ENGINE NAME = NUMBER`"),
]
WRONG_COUNTERS_OF_POOLS = [
    # the other player has no pools
    ("counter fake1 clean = 1\ncounter pool CPU invocations = 7", "counter pool CPU invocations is 1, expected 7"),
    ("counter fake1 clean = 1\ncounter pool GPU invocations = 1", "there is no such pool"),
]


@pytest.fixture
def wrong_scenario(directory):
    """Writes a scenario of one clean message that ends with these lines: its path."""
    def write(lines):
        for part in FOLDER.glob("*.part"):
            shutil.copy(part, directory)
        path = directory / "wrong.smtp"
        path.write_text(ONE_CLEAN_MESSAGE + lines + "\n")
        return path
    return write


@pytest.mark.parametrize("lines, says", WRONG_COUNTERS + WRONG_COUNTERS_OF_POOLS)
def test_a_wrong_counter_fails_over_sockets(stage, wrong_scenario, lines, says):
    path = wrong_scenario(lines)
    with pytest.raises(AssertionError) as fault:
        scenario = Scenario(path)
        play = Play(scenario, stage.instance_for(scenario))
        play.patience = 0.1
        play.run()
    assert says in str(fault.value)
    if fault.type is Failed:  # nothing else was wrong
        stage.instance.forget()
        stage.instance.postern.book.settle()
        stage.instance.postern.book.turn_page()


@pytest.mark.parametrize("lines, says", WRONG_COUNTERS)
def test_a_wrong_counter_fails_in_memory(wrong_scenario, lines, says):
    done = subprocess.run([*places.WRAP, places.BUILD / "tests/player", wrong_scenario(lines)], capture_output=True, text=True, timeout=places.SOON, check=False)
    assert done.returncode == 1 and says in done.stdout, done


def test_there_are_scenarios():
    assert len(SCENARIOS) >= ENOUGH
    assert [s.name for s in SCENARIOS if not any(step.who == "L" for step in s.steps)] == [], "scenarios that say nothing of the log"


def test_player_reads_what_the_other_one_reads():
    assert unescape(r"a\r\n\0\\\xff") == b"a\r\n\0\\\xff"
    assert matches("a*c", "abc") and matches("*", "") and not matches("a*c", "abcd") and not matches("a", "ab")
    assert message_end(b".\r\n") == 3 and message_end(b"a\r\n.\r\nb") == 6 and message_end(b"a\n.\n") == 0
