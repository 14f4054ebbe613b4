# SPDX-License-Identifier: MIT
"""Debian's clamav-testfiles, one small program in every container and behind every packer that libclamav knows, each attached to a mail: none passes."""
from pathlib import Path

import pytest
from harness import mail
from harness.postern import clamav_stanza, make_database

FILES = Path("/usr/share/clamav-testfiles")
# The program's own code, out of which the test makes a signature; containers and packers all give it back.
CODE = slice(0x40, 0x60)
# Archives in archives, deeper than max_recursion, with copies of the program on the way: whose signature is known is found in the first of them; for
# everybody else the limit speaks.
DEEP = "clam_cache_emax.tgz"


def signature():
    return {"test.ndb": f"Clam.Program:0:*:{(FILES / 'clam.exe').read_bytes()[CODE].hex()}\n"}


@pytest.fixture(scope="module")
def make_signatures():
    return lambda directory: make_database(directory, signature())


def test_the_package_has_the_files_that_we_know_of():
    assert len(list(FILES.iterdir())) == 44


@pytest.mark.parametrize("name", sorted(file.name for file in FILES.iterdir()) if FILES.is_dir() else [])
def test_attached_file_is_refused(pair, name):
    mark = pair.log.mark()
    reply = pair.deliver(mail.with_attachment((FILES / name).read_bytes(), name))
    assert (reply.code, reply.enhanced) == (550, "5.7.1"), reply
    event = pair.log.wait_for("message", since=mark)
    assert (event["verdict"], event["virus"]) == ("infected", "Clam.Program.UNOFFICIAL"), event
    assert pair.backend.mails == []


LIMITS = {
    # options: the limit that libclamav names
    "": "MaxRecursion",  # the defaults
    "max_recursion = 4": "MaxRecursion",
    "max_files = 3": "MaxFiles",
    "max_scansize = 4096": "MaxScanSize",
}


@pytest.mark.parametrize("limit", LIMITS)
def test_deep_archive_is_refused_for_the_limit_that_ended_the_search(start_pair, directory, limit):
    options = dict([limit.split(" = ")]) if limit else {}
    # Another signature, so that only the limit can speak.
    signatures = make_database(directory / "other", {"test.ndb": "Other.Program:0:*:" + b"nowhere in these files".hex() + "\n"})
    pair = start_pair(engines=clamav_stanza(signatures, **options))
    reply = pair.deliver(mail.with_attachment((FILES / DEEP).read_bytes(), DEEP))
    assert (reply.code, reply.enhanced) == (550, "5.7.1"), reply
    event = pair.log.wait_for("message")
    assert (event["verdict"], event["reason"]) == ("unscannable", "limit"), event
    assert LIMITS[limit] in event.get("virus", "") + event.get("detail", ""), event
