# SPDX-License-Identifier: MIT
"""Beside the real freshclam: it fetches into the directory that postern loads, and neither knows of the other."""
import os

import pytest
from harness.freshclam import NAME, Freshclam, Mirror
from harness.places import until
from harness.postern import clamav_stanza
from harness.signatures import ALPHA, BETA, FILLER, QUICK, RETRY, Load, signature, verdict, wait_loaded

FIRST = (FILLER + signature("Test.Alpha", ALPHA)).encode()
SECOND = FIRST + signature("Test.Beta", BETA).encode()
MALFORMED = FIRST + b"Test.Beta:0:*:nonsense\n"


@pytest.fixture
def mirror():
    ours = Mirror()
    yield ours
    ours.stop()


@pytest.fixture
def make_freshclam(directory, mirror):
    return lambda **options: Freshclam(directory, mirror, **options)


@pytest.fixture
def freshclam(make_freshclam, mirror):
    """One that has fetched the first database."""
    made = make_freshclam()
    mirror.offer(FIRST)
    made.update_succeeds()
    return made


@pytest.fixture
def start(start_pair):
    return lambda path: start_pair(engines=clamav_stanza(path, **QUICK), pool=RETRY)


def test_what_freshclam_fetches_is_in_use_and_no_mail_waits_for_it(start, freshclam, mirror):
    pair = start(freshclam.path)
    assert (verdict(pair, ALPHA), verdict(pair, BETA)) == ("infected", "clean")
    load = Load(pair, 2)
    try:
        mirror.offer(SECOND)
        freshclam.update_succeeds()
        wait_loaded(pair, generation=2)
        assert verdict(pair, BETA) == "infected"
        seen = load.count()
        until(lambda: load.count() >= seen + 4 or load.faults, "mails pass")
    finally:
        load.stop()
    assert set(load.codes) == {250, 550}
    assert freshclam.update().returncode == 0  # nothing new
    mirror.offer(FIRST)
    freshclam.update_succeeds()
    wait_loaded(pair, generation=3)
    assert verdict(pair, BETA) == "clean"
    # Its temporary directories and freshclam.dat are no news, nor is an update without any.
    assert (freshclam.path / "freshclam.dat").exists()
    assert len(pair.log.find("reload-start")) == 2 and not pair.log.find("reload-failed")
    assert set(mirror.paths) == {f"/{NAME}"}


def test_postern_that_is_there_before_the_first_database_loads_it_when_it_comes(start, make_freshclam, mirror):
    freshclam = make_freshclam()
    pair = start(freshclam.path)
    assert verdict(pair, ALPHA) == 451
    mirror.offer(FIRST)
    freshclam.update_succeeds()
    wait_loaded(pair)
    assert (verdict(pair, ALPHA), verdict(pair, BETA)) == ("infected", "clean")


BROKEN = {
    "malformed": {"content": MALFORMED},
    "cut on the way": {"content": SECOND, "cut": 20},
    "a page instead": {"content": b"<html>Please log in</html>\n"},
    "not there": {"content": b"", "status": 404},
}


# C19
@pytest.mark.parametrize("kind", BROKEN)
def test_what_freshclam_does_not_let_in_postern_never_sees(start, freshclam, mirror, kind):
    pair = start(freshclam.path)
    mirror.offer(**BROKEN[kind])
    freshclam.update()
    assert (freshclam.path / NAME).read_bytes() == FIRST
    assert (verdict(pair, ALPHA), verdict(pair, BETA)) == ("infected", "clean")
    mirror.offer(SECOND)
    freshclam.update_succeeds()
    wait_loaded(pair)
    assert verdict(pair, BETA) == "infected"
    assert len(pair.log.find("reload-start")) == 1 and not pair.log.find("reload-failed")


# C19
def test_what_freshclam_lets_in_untested_is_refused_with_one_line_until_it_is_mended(start, make_freshclam, mirror):
    freshclam = make_freshclam(TestDatabases="no")
    mirror.offer(FIRST)
    freshclam.update_succeeds()
    pair = start(freshclam.path)
    mirror.offer(MALFORMED)
    freshclam.update()
    assert (freshclam.path / NAME).read_bytes() == MALFORMED
    failed = pair.log.wait_for("reload-failed", timeout=90)
    assert failed["level"] == "error" and failed["serving"] == 1 and "clamav1: " in failed["reason"]
    assert (verdict(pair, ALPHA), verdict(pair, BETA)) == ("infected", "clean")
    mirror.offer(SECOND)
    freshclam.update_succeeds()
    wait_loaded(pair)
    assert verdict(pair, BETA) == "infected"
    assert len(pair.log.find("reload-failed")) == 1 and not pair.log.find("engine-down")


@pytest.mark.root
def test_database_as_the_packages_leave_it_needs_no_further_right(make_postern, freshclam):
    """Directory 0755, files 0644, all of freshclam's own user: neither postern's scan_user nor a group of its."""
    entries = [freshclam.path, *freshclam.path.iterdir()]
    assert {(entry.owner(), oct(entry.stat().st_mode & 0o777)) for entry in entries} == {("daemon", "0o755"), ("daemon", "0o644")}
    checked = make_postern(engines=clamav_stanza(freshclam.path)).check()
    assert checked.returncode == 0 and str(freshclam.path) not in checked.stderr, checked.stderr
    os.chmod(freshclam.path / NAME, 0o600)  # and where they do not fit, that is said
    assert NAME in make_postern(engines=clamav_stanza(freshclam.path)).check().stderr
