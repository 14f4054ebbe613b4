# SPDX-License-Identifier: MIT
"""What is known of a message by its octets alone, and by the text of the configuration: what its engines would find, whatever postern says.

Engines of the tests find the payload and the test virus, or obey an order in a line of the message; so do the daemons that are emulated. Each
engine has its own word, and its stanza says what it lets pass.
"""
import fnmatch
import hashlib
import re
from pathlib import Path

from . import mail
from .ledger import CLEAN, HARMLESS, INFECTED, SUSPECT, TROUBLE

SCOPE = re.compile(r'\b(fake|clamav|kaspersky|fsecure|csapi|icap|command|plugin|[\w-]+)(?: "([^"]*)")?\s*\{([^{}]*)\}')
KINDS = ("fake", "clamav", "kaspersky", "fsecure", "csapi", "icap", "command", "plugin")
# Reasons (src/scan/verdict.def) for which an engine gives no verdict; others mean that it could not look at all of it.
TROUBLES = {"error", "down", "timeout", "crash", "memory", "protocol", "overload", "poison", "engine", "sandbox"}

# What test engines and programs do with an order, where that does not depend on options. SUSPECT: it tries to leave its cage, or gives no clean
# answer; what exactly becomes of the message is for the test to say.
_ENDS = dict.fromkeys(("crash", "abort", "hang", "spin"), TROUBLE)
ORDERS = {
    "fake": {**_ENDS, "infected": INFECTED, "clean": CLEAN, "unscannable": SUSPECT,
             **dict.fromkeys(("exit", "garbage", "wrong-id", "truncated-answer", "silent-close", "error", "nonsense"), TROUBLE)},
    "csapi": {**_ENDS, "report": INFECTED, **dict.fromkeys(("exit", "garbage", "wrong-id", "long", "descriptor", "close", "nonsense"), TROUBLE),
              **dict.fromkeys(("fork", "exec", "socket", "open", "write", "kill"), SUSPECT)},
    "command": {**_ENDS, "report": INFECTED, **dict.fromkeys(("silent-hang", "forks", "daemonize", "exec", "shell", "socket", "open", "write",
                                                              "kill-parent", "kill-all"), SUSPECT)},
    "plugin": {**_ENDS, "infected": INFECTED, "clean": CLEAN, "unscannable": SUSPECT,
               **dict.fromkeys(("tell", "unterminated", "control"), INFECTED),
               **dict.fromkeys(("error", "class", "silent", "named-clean", "reasoned-clean", "exit", "close-all"), TROUBLE),
               **dict.fromkeys(("connect", "unix", "read", "write", "code", "exec", "fork", "thread", "kill"), SUSPECT)},
}
MARKS = {"fake": b"X-Fake: ", "csapi": b"X-Scanner: ", "command": b"X-Command: ", "plugin": b"X-Plugin: "}
STRONGEST = (INFECTED, SUSPECT, TROUBLE, CLEAN)  # of several words


def orders_in(kind, content):
    """(verb, the rest) of each order to a test engine of KIND."""
    for found in re.finditer(rb"(?m)^" + MARKS[kind] + rb"([\w-]+)(?: ([^\r\n]*))?", content):
        yield found[1].decode(), (found[2] or b"").decode("latin-1")


def option_pairs(text):
    return re.findall(r"\b(action|on_\w+) = (\w+)", text)


class Engine:
    """One scope of the configuration. OUTSIDE: the text around all engines, whose options they inherit."""

    def __init__(self, kind, name, own, outside):
        self.kind, self.name, self.own = kind, name, own
        def option(pattern):
            return re.findall(pattern, own) or re.findall(pattern, outside)
        self.asked = "enabled = false" not in own
        self.passes = set()  # which of its words the administrator lets pass
        if re.search(r"\bscan = off\b", outside):
            self.asked = False
        for what, follows in dict(option_pairs(outside) + option_pairs(own)).items():
            if follows in ("pass", "next"):
                self.passes |= {INFECTED, SUSPECT} if what == "action" else {TROUBLE, SUSPECT} if what[3:] in TROUBLES else {SUSPECT}
        self.ignored = [pattern for part in option(r"\bignore_signatures = \(([^)]*)\)") for pattern in part.split()]
        context = set(re.findall(r"(\w+) *=", " ".join(re.findall(r"\bcontext = \[([^\]]*)\]", outside))))
        skip = option(r'\bskip_context_variable = "?(\w+)') or ["skip_virus_check"]
        if context & {*skip, f"__bypass_{name}", f"__bypass_{kind}"}:
            self.asked = False

    @property
    def needles(self):
        """What it finds: octets → name; empty where it only obeys. A stranger's program is known by its path, a plug-in by its patterns."""
        if self.kind == "clamav":
            return {mail.test_virus(): mail.TEST_VIRUS_NAME, mail.PAYLOAD: mail.PAYLOAD_NAME}
        if self.kind in ("kaspersky", "fsecure", "icap", "command") or self.kind == "csapi" and "scanner_path" not in self.own:
            return {mail.PAYLOAD: mail.PAYLOAD_NAME}
        return dict(self._patterns()) if self.kind == "plugin" else {}

    def _patterns(self):
        """Of the example plug-in: its option and its file, one `NAME HEX` each."""
        for pattern in re.findall(r'(?i)\bpattern = "([^"]+)"', self.own):
            yield pattern.encode(), "From.Stanza"
        for path in re.findall(r'\bdatabase = "([^"]+)"', self.own):
            lines = Path(path).read_text("utf-8", "replace").splitlines() if Path(path).is_file() else ()
            for name, octets in re.findall(r"(?m)^(\S+) ((?:[0-9a-f]{2})+)$", "\n".join(lines)):
                yield bytes.fromhex(octets), name

    def word(self, content):
        """What it would say of CONTENT, and the name under which it would find it; None: that is not known."""
        needles = self.needles
        if needles and mail.contains(content, needles):  # only then: which one is it?
            return INFECTED, next(name for needle, name in needles.items() if mail.contains(content, [needle]))
        if self.kind not in MARKS:
            return None, None
        for verb, rest in orders_in(self.kind, content):
            if (self.kind, verb) == ("csapi", "result"):
                return result_of_scanner(rest), None
            if verb in ORDERS[self.kind]:
                return ORDERS[self.kind][verb], rest.split(" ")[0] or None
            if self.kind in ("csapi", "command"):
                return None, None  # they obey the first order, and it depends on options
        return (CLEAN if self.kind == "fake" and b"X-Fake:" not in content else None), None

    def lets_pass(self, word, name, content):
        if word in self.passes:
            return True
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        names = [name, f"{name}.UNOFFICIAL"] if name else []
        return any(pattern.lower() == digest or any(fnmatch.fnmatch(one, pattern) for one in names) for pattern in self.ignored)


def result_of_scanner(rest):
    """Of an order `result STATUS LINE;LINE`: clean only where nothing stands against it."""
    status, _, lines = rest.partition(" ")
    if status == "infected" or "AVS_RESULT_VIRUS_FOUND" in lines:
        return INFECTED
    harmless = all(line.startswith("info ") or line == "code DEC_RESULT_OUTER_CONTAINER_IS_MIME" for line in lines.split(";") if line)
    return CLEAN if status == "clean" and harmless else SUSPECT


# Where none of them is, nothing is wrapped and nothing is ordered.
WRAPPED = re.compile(rb"(?i)content-|mime-version|^begin |x-\w+: |PK\x03\x04", re.MULTILINE)
PLAIN = 256 << 10  # octets of a message, more of which are not looked through for these
OTHERS = r"\b(" + "|".join(kind for kind in KINDS if kind != "fake") + r"|library|paranoid)\b"

# Words of the configuration, wherever they stand, by which a message may pass that is not clean.
LENIENT = r"\b(pass|next|off|skip\w*|__bypass\w*|ignore_signatures|context|include|passive)\b|enabled = (?!true)"


class Truth:
    """For one text of a configuration."""

    def __init__(self, text):
        self.text = text
        scopes = [(kind, name, own) for kind, name, own in SCOPE.findall(text) if kind in KINDS or re.search(r"\blibrary = ", own)]
        outside = SCOPE.sub(lambda m: "" if m[1] in KINDS or re.search(r"\blibrary = ", m[3]) else m[0], text)
        self.engines = [Engine(kind if kind in KINDS else "plugin", name or kind, own, outside) for kind, name, own in scopes]
        # Its engines find what an order tells them to find, and nothing of their own.
        self.only_obeys = all(engine.kind == "fake" for engine in self.engines) and not re.search(OTHERS, text)
        self.vouched = {}  # digest → why

    def vouch(self, content, because):
        """The test has an engine say that CONTENT is clean, whatever stands in it."""
        assert because, "every exception has a reason"
        self.vouched[hashlib.sha256(content).hexdigest()] = because

    @property
    def lenient(self):
        """Whether any option lets pass what is not clean, or keeps an engine from being asked."""
        return not self.engines or any(engine.passes or engine.ignored or not engine.asked for engine in self.engines) or \
            re.search(LENIENT, self.text) is not None

    def judge(self, content):
        """(what is known of CONTENT, whether the configuration lets it pass all the same). CONTENT None: it was too large to be kept."""
        if content is None or hashlib.sha256(content).hexdigest() in self.vouched:
            return None, False
        words, held = [], False
        for engine in self.engines:
            word, name = engine.word(content) if engine.asked else (None, None)
            words.append(word)
            held = held or (word in (INFECTED, SUSPECT, TROUBLE) and not engine.lets_pass(word, name, content))
        strongest = next((word for word in STRONGEST if word in words), None)
        return (HARMLESS if strongest == CLEAN and self._is_harmless(content) else strongest), not held

    def _is_harmless(self, content):
        return self.only_obeys and len(content) < PLAIN and not WRAPPED.search(content) and \
            not any(needle in content for needle in (mail.test_virus(), mail.PAYLOAD))
