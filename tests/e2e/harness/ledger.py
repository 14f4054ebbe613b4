# SPDX-License-Identifier: MIT
"""The promises that every run must keep, each one function: what clients were told (talk), what backends hold and what the log says,
against each other. Nothing here talks to anybody: harness/book.py collects the evidence of a real run, the tests of the ledger forge it.
"""
from collections import Counter, defaultdict

# What may be known of a message without postern. SUSPECT: no engine can call it clean; whether it is refused or deferred is not said.
# CLEAN: an engine calls it so; HARMLESS: and none has anything to find in it.
CLEAN, HARMLESS, INFECTED, SUSPECT, TROUBLE = "clean", "harmless", "infected", "suspect", "trouble"

# 5xx of our own that say what was wrong with the client's command (src/smtp/reply.def).
COMMAND_FAULTS = {500, 501, 502, 503, 552, 555}
NO_RECIPIENTS = (554, "No valid recipients")
NO_MAIL, NO_SERVICE = 521, 554
TOO_LARGE, CLOSING = 552, 421
# What postern says with 421 on its own account, and the reasons in the `close` lines of sessions that it ended so.
CLOSINGS = {"Timeout": ("timeout",), "Service shutting down": ("shutting down", "drain_timeout has passed"), "Too many errors": ("too many errors",),
            "Too many commands": ("too many commands without a message",), "This is SMTP": ("not SMTP",), "Out of resources": ("no memory", "out of memory")}
# Beginnings of the reasons in `close` lines of sessions whose client need not have been told what became of its message.
NO_LAST_WORD = ("timeout", "shutting down", "drain_timeout has passed", "postern stops", "no memory", "out of memory",
                "the client does not read", "the client's connection broke")
TOO_MANY_CONNECTIONS = "Too many connections"
# `command` in `reject` lines of transactions that broke, whose commands all have that reply.
BROKEN = ("backend", "memory")
# Outcomes of a message that need no further reason.
SPEAKS_FOR_ITSELF = {"delivered", "client-gone", "client-timeout", "shutdown"}
# Actions in `quarantine` lines after which a backend may have seen an entry.
WENT_TO_THE_BACKEND = ("release", "release-unknown", "release-refused")


class Delivery:
    """A message that a backend has completed. DIGESTS: those it may go by, first the one that it has as it is. CODE of the backend's final reply; None: none was given.
    RECIPIENTS that it was accepted for, sorted, and its SENDER; None: they are not known."""

    def __init__(self, digests, code, recipients=None, sender=None):
        self.digests, self.code, self.recipients, self.sender = list(digests), code, recipients, sender

    @property
    def refused(self):
        return self.code is not None and self.code // 100 != 2

    @property
    def accepted(self):
        return self.code is not None and self.code // 100 == 2

    def __repr__(self):
        return f"message {self.digests[0][:12]} (the backend said {self.code or 'nothing'})"


class Evidence:
    """Everything known of a run.

    TALKS               of all clients (talk.Talk)
    OTHERS              digests that clients of other posterns sent to the same backends
    DELIVERIES          of all backends; SAID: how often they said each code; COUNTED: this is exact, and not only known to have been said
    EVENTS              lines of the log
    TRUTH               Attempt → what is known of its content without postern: CLEAN, HARMLESS, INFECTED, SUSPECT, TROUBLE or None
    MAY_PASS            Attempt → whether the configuration lets such a message pass all the same
    LENIENT             whether the configuration lets any message pass that is not clean
    DEMANDED            codes that the configuration wants for trouble with scanning
    MOST                octets of a message, more of which postern may refuse
    BYSTANDERS          (what went on, what became of the bystander's session; None: it was served)
    RECOVERED           why no mail passed at the end; None: it passed
    LEFT                what was left behind
    KILLED              processes of postern that the test killed, how often; EDGE_RUNS: one was there before the first of EVENTS
    QUARANTINE          id → SHA-256 of the octets, of every whole entry that is there in the end
    """

    def __init__(self, talks=(), others=(), deliveries=(), said=(), events=(), truth=None, may_pass=None, demanded=(), bystanders=(),
                 recovered=None, left=(), killed=(), quarantine=None, most=100 << 20, lenient=False, counted=True,
                 edge_runs=False):
        self.attempts = [attempt for talk in talks for attempt in talk.attempts]
        self.refused = [refused for talk in talks for refused in talk.refused]
        self.others = set(others)
        self.deliveries, self.said, self.counted, self.events = list(deliveries), Counter(said), counted, list(events)
        self.truth = truth or (lambda attempt: None)
        self.may_pass = may_pass or (lambda attempt: False)
        self.demanded, self.bystanders, self.recovered, self.left = set(demanded), list(bystanders), recovered, list(left)
        self.edge_runs = edge_runs
        self.killed, self.quarantine, self.most, self.lenient = Counter(killed), dict(quarantine or {}), most, lenient
        self.of_session = defaultdict(list)
        for event in self.events:
            self.of_session[event.get("session")].append(event)
        self.unmatched = self._match(talks)
        self.sent = defaultdict(list)
        for attempt in self.attempts:
            if attempt.digest:
                self.sent[attempt.digest].append(attempt)
        self.held = defaultdict(list)  # by the digest that a client knows, if one does
        for delivery in self.deliveries:
            self.held[next((d for d in delivery.digests if d in self.sent), delivery.digests[0])].append(delivery)

    def _match(self, talks):
        """Finds the session and the line of each message: clients by their address, messages of a session in order. The lines left over."""
        sessions, lines = defaultdict(list), defaultdict(list)
        for event in self.events:
            if event["event"] == "connect":
                sessions[event["client"]].append(event["session"])
            elif event["event"] == "message":
                lines[event.get("session")].append(event)
        at = defaultdict(list)
        for talk in talks:  # an address may be used again, by a later client
            at[talk.client].append(talk)
        for client, users in at.items():
            if len(users) > len(sessions[client]):  # whoever was not greeted may have met a process that was being replaced
                users = [talk for talk in users if talk.codes] + [talk for talk in users if not talk.codes]
            for talk, session in zip(users, [*sessions[client], *[None] * len(users)]):
                for entry in (*talk.attempts, *talk.refused):
                    entry.session = session
        for attempt in sorted(self.attempts, key=lambda a: not a.granted):
            attempt.event = lines[attempt.session].pop(0) if lines[attempt.session] else None
        rest = [event for events in lines.values() for event in events]
        for attempt in self.attempts:  # of clients whose address is not known
            if not attempt.event and not attempt.client:
                attempt.event = next((event for event in rest if event.get("sha256") == attempt.digest), None)
                rest = [event for event in rest if event is not attempt.event]
        return rest

    def has(self, session, name, **fields):
        return any(event["event"] == name and all(event.get(key) == value for key, value in fields.items())
                   for event in self.of_session.get(session, ()))

    def was_said(self, code):
        """How often a backend said it. A host that takes no mail says 521 (RFC 7504), which is handed on as 554."""
        return self.said[code] + (self.said[NO_MAIL] if code == NO_SERVICE else 0)

    def was_said_of(self, attempt):
        """Whether a backend said what the client was told of this message: its line, where there is one, has the backend's reply."""
        said = attempt.event is None or any(str(attempt.event.get("backend_reply")).startswith(str(code))
                                            for code in (attempt.code, *([NO_MAIL] if attempt.code == NO_SERVICE else [])))
        return said and self.was_said(attempt.code)

    def entry_lines(self, entry, *actions):
        """What the log says of an entry of quarantine: the lines with one of ACTIONS, or every line."""
        return [event for event in self.events if event["event"] in ("quarantine", "quarantine-failed") and event.get("quarantine") == entry
                and (not actions or event.get("action") in actions)]

    def kept(self, attempt):
        """Whether its octets are in quarantine as its line says, or left it as other lines say. Its line may have been lost with the edge."""
        entry = quarantined(attempt)
        if attempt.event is None and self.cut(attempt.session):
            return attempt.digest in self.quarantine.values()
        gone = any(event.get("action") == "delete" or str(event.get("detail")).startswith("deleted:") for event in self.entry_lines(entry))
        return entry is not None and (self.quarantine.get(entry) == attempt.digest or gone)

    def released(self, attempts, *actions):
        """How often ATTEMPTS went from quarantine to the backend, or may have; with ACTIONS only so."""
        return sum(len(self.entry_lines(entry, *(actions or WENT_TO_THE_BACKEND))) for entry in map(quarantined, attempts) if entry)

    def cut(self, session):
        """Whether the session ended with the process that had it, which the test killed."""
        return "edge" in self.killed and not self.has(session, "close")


def says(event, code):
    return str(event.get("reply", "")).startswith(str(code))


def quarantined(attempt):
    """The id in quarantine that its line gives it, or None."""
    event = attempt.event or {}
    return event.get("quarantine") if event.get("outcome") == "quarantined" else None


def may_be_marked(attempt):
    """Only what passes although it is not clean has a mark; without a line nothing is known."""
    event = attempt.event
    return event is None or event.get("action") == "pass" and event.get("verdict") not in ("clean", "skipped")


def may_be_delivered(evidence, attempt):
    """What its line says, where the configuration can have it pass with that verdict; without a line nothing is known."""
    event = attempt.event
    if event is None:
        return True
    return event.get("action") == "pass" and (event.get("verdict") == "clean" or evidence.lenient)


# --- the promises ---

def no_loss(evidence):
    """L1: the client was told 2xx, so a backend holds exactly its octets from its sender for exactly its recipients, or quarantine where its line says so;
    what a line says is in quarantine is there; and no backend holds what no client sent."""
    for digest, attempts in evidence.sent.items():
        told = [attempt for attempt in attempts if attempt.told_ok]
        kept = sum(evidence.kept(attempt) for attempt in told)
        held = max(0, sum(delivery.accepted for delivery in evidence.held[digest]) - evidence.released(attempts, "release"))
        if len(told) > held + kept:
            yield f"{told[-1]}: {len(told)} times promised, {held} times at the backend, {kept} times in quarantine"
        marked = sum(digest != delivery.digests[0] for delivery in evidence.held[digest])
        if marked > sum(map(may_be_marked, attempts)) + evidence.released(attempts):
            yield f"{attempts[0]}: {marked} copies with a mark in front, and the log says {attempts[0].event}"
        for envelope in wrong_envelopes(evidence, told, [delivery for delivery in evidence.held[digest] if delivery.accepted]):
            yield f"{told[-1]}: promised {envelope}, and no backend has it so"
        for attempt in attempts:
            if quarantined(attempt) and not evidence.kept(attempt):
                yield f"{attempt}: the log says that it is in quarantine as {quarantined(attempt)}, and it is not"
    for attempt in evidence.attempts:
        if attempt.told_ok and attempt.granted and not attempt.complete:
            yield f"{attempt}: promised before its final dot was sent"
    for digest, deliveries in evidence.held.items():
        if digest not in evidence.sent and evidence.others.isdisjoint(deliveries[0].digests):
            yield f"{deliveries[0]} is at the backend, and no client sent it"


def wrong_envelopes(evidence, told, held):
    """Those of attempts that were TOLD 2xx, as text, which none of the deliveries HELD has. Where one is not known there is nothing to compare."""
    if not held or any(delivery.recipients is None for delivery in held):
        return
    told = [attempt for attempt in told if attempt.recipients is not None and not evidence.kept(attempt)]
    senders = all(one.sender is not None for one in (*told, *held))
    def envelopes(of):
        return Counter((f"from <{one.sender}> " if senders else "") + f"for {' '.join(one.recipients)}" for one in of)
    yield from envelopes(told) - envelopes(held)


def no_leak(evidence):
    """L2: infected, unscannable or not scanned, so no backend ever completed it, unless the configuration lets it pass. Whether it does is not
    for postern to say: its line may not have a message pass with a verdict that no option lets pass."""
    for digest, attempts in evidence.sent.items():
        held = len(evidence.held[digest])
        released = evidence.released(attempts)
        if held > sum(may_be_delivered(evidence, attempt) for attempt in attempts) + released:
            yield f"{attempts[0]}: the log says {attempts[0].event}, and the backend completed it"
        truth = evidence.truth(attempts[0])
        if held > released and truth in (INFECTED, SUSPECT, TROUBLE) and not evidence.may_pass(attempts[0]):
            yield f"{attempts[0]} is {truth} by its octets, and the backend completed it"
        if held and attempts[0].faulty:
            yield f"{attempts[0]} has NUL, bare CR or bare LF, and the backend completed it"


def no_surprise(evidence):
    """L3: at most one copy for each attempt; one that the client does not know of only where the log says so."""
    for digest, attempts in evidence.sent.items():
        held = evidence.held[digest]
        released = evidence.released(attempts)
        if len(held) > len(attempts) + released:
            yield f"{attempts[0]}: {len(attempts)} attempts, {len(held)} copies at the backend"
        silent = sum(not delivery.refused for delivery in held) - sum(attempt.told_ok for attempt in attempts)
        explained = sum(explains_a_copy(evidence, attempt) for attempt in attempts if not attempt.told_ok) + released
        if silent > explained:
            yield f"{attempts[0]}: {silent} copies at the backend that the client does not know of; the log explains {explained}"


def explains_a_copy(evidence, attempt):
    if evidence.cut(attempt.session):
        return True
    event = attempt.event or {}
    if event.get("outcome") == "unknown":
        return evidence.has(event.get("session"), "outcome-unknown", id=event.get("id"))
    return event.get("outcome") == "delivered" and attempt.code is None and not hung_up_on(evidence, attempt)  # it left before it heard


def hung_up_on(evidence, attempt):
    """Whether its client waited for the final reply, and postern closed the session instead for no reason that would do."""
    if not attempt.abandoned or evidence.killed["edge"] or evidence.killed["supervisor"]:
        return False
    closes = [event for event in evidence.of_session.get(attempt.session, ()) if event["event"] == "close"]
    return bool(closes) and not any(str(event.get("reason")).startswith(NO_LAST_WORD) for event in closes)


def no_bounce(evidence):
    """L4: trouble of ours is 4xx. 5xx is for what is infected or unscannable, for faults of the client and for the backend's own words. What has
    nothing to be found is not infected."""
    for attempt in evidence.attempts:
        if attempt.code is None or attempt.code // 100 != 5:
            continue
        event = attempt.event or {}
        trouble = evidence.truth(attempt) == TROUBLE or event.get("verdict") == "error"
        if trouble and attempt.code not in evidence.demanded:
            yield f"{attempt}: scanning had trouble ({event.get('reason')}), which is no reason to bounce it"
        elif evidence.truth(attempt) == HARMLESS and event.get("verdict") == "infected":
            yield f"{attempt}: bounced as infected with {event.get('virus')}, and there is nothing in it that an engine could find"
        elif trouble or event.get("verdict") in ("infected", "unscannable") and event.get("action") in ("reject", "quarantine"):
            continue
        elif attempt.event is None and evidence.truth(attempt) == INFECTED:
            continue  # there is no log, or its line is missing, which is L8's
        elif attempt.faulty or evidence.has(attempt.session, "protocol", id=event.get("id")):
            continue
        elif attempt.code == TOO_LARGE and attempt.length is not None and attempt.length > evidence.most:
            continue
        elif not evidence.was_said_of(attempt):
            yield f"{attempt}: bounced with {attempt.text!r}, which no backend said and no verdict demands"
    handed_on = Counter()
    for refused in evidence.refused:
        own = refused.verb != "greeting" and (refused.code in COMMAND_FAULTS or
                                              refused.code == NO_RECIPIENTS[0] and NO_RECIPIENTS[1] in refused.text)
        if refused.code // 100 != 5 or own:
            continue
        # What a backend says instead of a greeting stands for all commands that wait for it, and for a while for those that come.
        handed_on[refused.code] += refused.verb != "greeting" and not is_broken(evidence, refused)
        said = evidence.was_said(refused.code)
        if not said:
            yield f"{refused}: no backend said that"
        elif evidence.counted and handed_on[refused.code] > said:
            yield f"{refused}: {handed_on[refused.code]} commands were answered so, and backends said it {said} times"


def is_broken(evidence, refused):
    """Whether it may have been refused as its transaction broke."""
    return any(evidence.has(refused.session, "reject", command=command) for command in BROKEN)


def others_unaffected(evidence):
    """L5: a session of somebody else is served while one session or one message is in trouble."""
    for during, failure in evidence.bystanders:
        if failure:
            yield f"bystander while {during}: {failure}"


def recovery(evidence):
    """L6: when the fault is over mail passes again, and nobody had to start anything: no process ended that the test did not kill, and the edge
    is not replaced without a line that says why."""
    if evidence.recovered:
        yield evidence.recovered
    ended, runs = Counter(), evidence.edge_runs
    for event in evidence.events:
        if event["event"] == "child-start" and event.get("process") == "edge" and runs:
            yield f"the edge was started again as {event.get('pid')}, and no line says that the one before has ended"
        runs = edge_runs_after([event], runs)
        if event["event"] == "child-exit":
            process = event.get("process", "").split(" ")[0]
            ended[process] += 1
            if ended[process] > evidence.killed[process]:
                yield (f"{event.get('process')} ended: {event.get('status') or event.get('reason')}; "
                       f"it was killed {evidence.killed[process]} times and has ended {ended[process]} times")


def edge_runs_after(events, runs):
    """Whether the edge runs after EVENTS, by these lines; RUNS: before them."""
    for event in events:
        if event["event"] in ("child-start", "child-exit") and event.get("process") == "edge":
            runs = event["event"] == "child-start"
    return runs


def nothing_left(evidence):
    """L7: descriptors, spool files, processes and temporary directories are back to what they were."""
    yield from evidence.left


def one_clear_line(evidence):
    """L8: one line for each message, with ids, what the client was told and why; one for each refused command."""
    for attempt in evidence.attempts:
        if attempt.event:
            yield from unclear(evidence, attempt)
            if hung_up_on(evidence, attempt):
                yield f"{attempt}: the session was closed before its final reply, which its client was waiting for"
        elif attempt.granted and not evidence.cut(attempt.session):
            yield f"{attempt} has no line"
    for event in evidence.unmatched:
        yield f"a line of a message that no client sent, or its second: {event}"
    told = Counter()
    for refused in evidence.refused:
        lines = [event for event in evidence.of_session.get(refused.session) or evidence.of_session[None] if answers(event, refused)]
        told[refused.session, refused.code] += 1
        if not any(map(tells_of_many, lines)) and told[refused.session, refused.code] > len(lines) and not evidence.cut(refused.session):
            yield f"{refused} has no line" + (" of its own" if lines else "")


def tells_of_many(event):
    """Whether this line stands for whatever follows from it. Other `reject` lines are about one command each."""
    return event["event"] != "reject" or event.get("command") in BROKEN


def answers(event, refused):
    """Whether this line tells of a refused command: with its reply, or what was short, or why the session was closed with it."""
    name = event["event"]
    if name == "close" and refused.code == CLOSING:
        reasons = [reason for text, found in CLOSINGS.items() if text in refused.text for reason in found]
        return any(str(event.get("reason")).startswith(reason) for reason in reasons)
    if name == "refuse":
        return refused.code == CLOSING and TOO_MANY_CONNECTIONS in refused.text and refused.client in (None, event.get("client"))
    return name == "shortage" or (name == "reject" and says(event, refused.code))


def unclear(evidence, attempt):
    event = attempt.event
    missing = [key for key in ("session", "id", "client", "outcome") if not event.get(key)]
    if missing:
        yield f"{attempt}: its line lacks {', '.join(missing)}: {event}"
    outcome = event.get("outcome")
    if attempt.code is not None and outcome not in ("client-timeout", "shutdown") and not says(event, attempt.code) and \
            (outcome, attempt.code) != ("unknown", 421):
        yield f"{attempt}: its line says {event.get('reply')!r}"
    digest = event.get("sha256")
    if attempt.digest and digest != attempt.digest and (digest or outcome == "delivered"):
        yield f"{attempt}: its line has the digest {digest}"
    if outcome not in SPEAKS_FOR_ITSELF and not any(event.get(key) for key in ("reason", "virus", "backend_reply", "detail")) and \
            not any(other.get("id") == event.get("id") and other.get("detail") for other in evidence.of_session[event.get("session")]):
        yield f"{attempt}: its line gives no reason: {event}"


PROMISES = {"L1": no_loss, "L2": no_leak, "L3": no_surprise, "L4": no_bounce, "L5": others_unaffected, "L6": recovery,
            "L7": nothing_left, "L8": one_clear_line}


def faults(evidence, excused=()):
    """Every broken promise as a line of text."""
    return [f"{name} {text}" for name, promise in PROMISES.items() if name not in excused for text in promise(evidence)]
