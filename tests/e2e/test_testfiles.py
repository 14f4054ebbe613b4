# SPDX-License-Identifier: MIT
"""Debian's clamav-testfiles, one small program in every container and behind every packer that libclamav knows, each attached to a mail: none passes."""
from pathlib import Path

import pytest
from harness import mail
from harness.postern import make_database

FILES = Path("/usr/share/clamav-testfiles")
# The program's own code, out of which the test makes a signature; containers and packers all give it back.
CODE = slice(0x40, 0x60)
# An archive in an archive in an archive …: the engine's limits end the search before it comes to the program.
LIMIT = {"clam_cache_emax.tgz"}


@pytest.fixture(scope="module")
def make_signatures():
    code = (FILES / "clam.exe").read_bytes()[CODE]
    return lambda directory: make_database(directory, {"test.ndb": f"Clam.Program:0:*:{code.hex()}\n"})


def test_the_package_has_the_files_that_we_know_of():
    assert len(list(FILES.iterdir())) == 44


@pytest.mark.parametrize("name", sorted(file.name for file in FILES.iterdir()) if FILES.is_dir() else [])
def test_attached_file_is_refused(pair, name):
    mark = pair.log.mark()
    reply = pair.deliver(mail.with_attachment((FILES / name).read_bytes(), name))
    assert (reply.code, reply.enhanced) == (550, "5.7.1"), reply
    event = pair.log.wait_for("message", since=mark)
    if name in LIMIT:
        assert (event["verdict"], event["reason"]) == ("unscannable", "limit"), event
    else:
        assert (event["verdict"], event["virus"]) == ("infected", "Clam.Program.UNOFFICIAL"), event
    assert pair.backend.mails == []
