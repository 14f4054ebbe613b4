# SPDX-License-Identifier: MIT
"""What people write is not refused (B34): every mail of a corpus through postern with paranoid = 1 and mime_decompose = 1. tests/run has the bundled harmless mails only; tests/soak/run ham --corpus DIR takes
any directory of mails, each a file. None are kept here."""
import glob
import re
from pathlib import Path

import pytest
from harness import evasion
from harness.client import Client
from harness.postern import fake_stanza

EPOCH = 400       # mails after which books are closed
ONE_IN = 1000     # so many mails may be refused once


def corpus_of(place):
    """{name: octets} of the bundled mails, or of the files in the directory, or of those that the pattern names."""
    if place is None:
        yield from evasion.harmless().items()
        return
    names = Path(place).rglob("*") if Path(place).is_dir() else map(Path, glob.glob(place, recursive=True))
    files = sorted(path for path in names if path.is_file())
    assert files, f"--corpus {place}: expected a directory with mails, or a pattern of file names"
    for path in files:
        yield str(path), path.read_bytes()


def as_sent(octets):
    """As the mail once came over SMTP: files have other line ends, and often the line of a mailbox in front."""
    octets = re.sub(rb"\A>?From [^\r\n]*\r?\n", b"", octets)
    return re.sub(rb"\r\n|\r|\n", b"\r\n", octets).replace(b"\0", b" ")


@pytest.mark.soak("ham", "mails of a corpus (--corpus DIR) with paranoid = 1 and mime_decompose = 1: at most one in a thousand is refused", mails=(1000, 1_000_000))
def test_mail_that_people_write_is_not_refused(request, start_pair, scale):
    # Orders to the test engine in a corpus would be an odd accident; it says clean of everything else.
    pair = start_pair(engines=fake_stanza(mime_decompose="true", paranoid="true", timeout="120s"), listener={"max_message_size": "200M"})
    sent, refused, epoch = 0, [], 0
    client = None
    for name, octets in corpus_of(request.config.getoption("corpus")):
        if sent == scale.mails:
            break
        if client is None:
            client = Client(pair.port, timeout=120)
            client.ehlo()
        mark = pair.log.mark()
        reply = client.message(as_sent(octets))
        sent, epoch = sent + 1, epoch + 1
        event = pair.log.wait_for("message", since=mark)
        scale.count("with a defect", "defects" in event)
        if reply.code != 250:
            refused.append(f"{name}: {reply.code}, {event['verdict']} {event.get('virus') or event.get('reason')}, {event.get('detail')} ({event.get('defects')})")
        if epoch == EPOCH:
            client.quit()
            client, epoch = None, 0
            pair.postern.book.forget()
    if client:
        client.quit()
    scale.count("mails", sent)
    scale.count("refused", len(refused))
    print(f"refused: {len(refused)} of {sent}, {100 * len(refused) / sent:.2f} %", *refused, sep="\n")
    assert len(refused) * ONE_IN <= sent, f"{len(refused)} of {sent} were refused, expected at most one in {ONE_IN}:\n" + "\n".join(refused)
