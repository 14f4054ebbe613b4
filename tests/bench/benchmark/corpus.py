# SPDX-License-Identifier: MIT
"""Generated signatures and messages. Seeded: every run on every machine has the same ones."""
import base64
import random
import shutil
from pathlib import Path

BODY_SIGNATURES = 20_000
HASH_SIGNATURES = 300_000
# Another number with every change of what is generated: a database of another number is made anew.
SEED = 20_252
# Signatures without a size make libclamav compute the digest of everything; real databases have a few.
SIZELESS_EVERY = 3_000
WORDS_EVERY = 40

SIZES = {"2 KB": 2_000, "20 KB": 20_000, "200 KB": 200_000, "5 MB": 5_000_000}
ATTACHMENT_FROM = 200_000

_SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo za an en in on un er or al il ta".split()


def _word(rng):
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(1, 4)))


def _body_signature(rng, number):
    """Mostly bytes without meaning; some begin with a word, so that text leads the matcher astray now and then; some have gaps."""
    head = _word(rng).encode() + b" " if number % WORDS_EVERY == 0 else b""
    pattern = (head + rng.randbytes(rng.randint(16, 60))).hex()
    if number % 7 == 0:
        pattern += "{4-40}" + rng.randbytes(8).hex()
    elif number % 11 == 0:
        pattern += "??" + rng.randbytes(12).hex()
    target = (0, 0, 0, 1, 3, 4, 7)[number % 7]
    return f"Bench.Body.{number}:{target}:*:{pattern}\n"


def make_database(directory, bundled):
    """The signature directory; made once. BUNDLED holds the test virus's signature."""
    done = directory / ".complete"
    if done.exists() and done.read_text() == str(SEED):
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    rng = random.Random(SEED)
    with open(directory / "bench.ndb", "w", encoding="ascii") as out:
        out.writelines(_body_signature(rng, n) for n in range(BODY_SIGNATURES))
    for name, octets in (("bench.hdb", 16), ("bench.hsb", 32)):
        with open(directory / name, "w", encoding="ascii") as out:
            for number in range(HASH_SIGNATURES // 2):
                sizeless = number % SIZELESS_EVERY == 0
                size = "*" if sizeless else rng.randint(200, 5_000_000)
                out.write(f"{rng.randbytes(octets).hex()}:{size}:Bench.Hash{octets}.{number}" + (":73\n" if sizeless else "\n"))
    for path in Path(bundled).iterdir():
        shutil.copy(path, directory)
    directory.chmod(0o755)
    for path in directory.iterdir():
        path.chmod(0o644)
    done.write_text(str(SEED))
    return directory


def _text(rng, octets):
    lines, have = [], 0
    while have < octets:
        line = ""
        while len(line) < 68:
            line += _word(rng) + " "
        lines.append(line.rstrip())
        have += len(lines[-1]) + 2
    return lines


def _message(rng, octets):
    """Lines without their ends. Below ATTACHMENT_FROM text, from there on text with a binary attachment."""
    head = ["From: Bench <a@x.test>", "To: b@y.test", f"Subject: {octets} octets", "Date: Fri, 21 Nov 2025 12:00:00 +0000",
            f"Message-ID: <{octets}.bench@x.test>", "MIME-Version: 1.0"]
    if octets < ATTACHMENT_FROM:
        return head + ["Content-Type: text/plain; charset=us-ascii", ""] + _text(rng, octets - 300)
    encoded = base64.b64encode(rng.randbytes((octets - 2_500) * 3 // 4 * 76 // 78)).decode()
    return (head + ['Content-Type: multipart/mixed; boundary="=bench="', "", "--=bench=", "Content-Type: text/plain; charset=us-ascii", ""]
            + _text(rng, 1_500)
            + ["--=bench=", 'Content-Type: application/octet-stream; name="data.bin"', "Content-Transfer-Encoding: base64",
               'Content-Disposition: attachment; filename="data.bin"', ""]
            + [encoded[i:i + 76] for i in range(0, len(encoded), 76)] + ["--=bench=--"])


class Mail:
    """A message as two files: with LF for smtp-source, which makes CRLF of it, and as it is on the wire, for libclamav alone."""

    def __init__(self, directory, label):
        name = label.replace(" ", "")
        self.source, self.wire = directory / f"{name}.lf", directory / f"{name}.eml"
        lines = _message(random.Random(f"{SEED} {label}"), SIZES[label])
        self.source.write_text("".join(line + "\n" for line in lines), encoding="ascii")
        self.wire.write_bytes("".join(line + "\r\n" for line in lines).encode("ascii"))


def make_mails(directory):
    directory.mkdir(parents=True, exist_ok=True)
    return {label: Mail(directory, label) for label in SIZES}


def test_virus_message():
    """The standard test virus, put together here."""
    virus = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*"
    return f"From: a@x.test\r\nTo: b@y.test\r\nSubject: test virus\r\n\r\n{virus}\r\n"
