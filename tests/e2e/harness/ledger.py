# SPDX-License-Identifier: MIT
"""What clients were told against what backends completed. The three promises that every test of faults checks:

L1 no loss        the client got 2xx: the backend holds exactly its bytes
L2 no leak        infected or unknown: the backend never completed it (unless the policy says pass)
L3 no surprise    at most one copy per attempt; more copies than 2xx only where the log says that the outcome is unknown
"""
CLEAN, INFECTED, UNKNOWN = "clean", "infected", "unknown"


class Attempt:
    def __init__(self, content, kind):
        self.content, self.kind = content, kind
        self.code = None  # what the client was told after the final dot; None: nothing


class Ledger:
    def __init__(self):
        self.attempts = []

    def attempt(self, content, kind=CLEAN):
        """Writes down that CONTENT is about to be sent; set .code to what the client was told."""
        entry = Attempt(content, kind)
        self.attempts.append(entry)
        return entry

    def send(self, deliver, content, kind=CLEAN):
        """DELIVER(content) → Reply; the reply, written down."""
        entry = self.attempt(content, kind)
        reply = deliver(content)
        entry.code = reply.code
        return reply

    def check(self, backend, log=None):
        """BACKEND.mails are those whose final dot came. LOG tells which outcomes were unknown. Raises AssertionError."""
        faults = []
        unknown_logged = len(log.find("outcome-unknown")) if log else 0
        unexplained = 0
        for number, entry in enumerate(self.attempts):
            completed = [mail for mail in backend.mails if mail.content == entry.content]
            told_ok = entry.code is not None and 200 <= entry.code < 300
            if told_ok and not any(mail.accepted for mail in completed):
                faults.append(f"L1: attempt {number} was told {entry.code}, and the backend does not hold its bytes")
            if entry.kind != CLEAN and completed:
                faults.append(f"L2: attempt {number} is {entry.kind}, and the backend completed it")
            if len(completed) > 1:
                faults.append(f"L3: attempt {number} is {len(completed)} times at the backend")
            if completed and not told_ok and any(mail.accepted or mail.code is None for mail in completed):
                unexplained += 1
        known = {entry.content for entry in self.attempts}
        strangers = [mail for mail in backend.mails if mail.content not in known]
        if strangers:
            faults.append(f"L1: {len(strangers)} mails at the backend that no client sent, such as {strangers[0].content[:200]!r}")
        if unexplained > unknown_logged:
            faults.append(f"L3: {unexplained} mails may stand at the backend without a 2xx to the client; "
                          f"the log explains {unknown_logged}")
        assert not faults, "\n".join(faults)
