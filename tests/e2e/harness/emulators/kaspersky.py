# SPDX-License-Identifier: MIT
"""Kaspersky's daemons: Aveserver, the line protocol of KAV 5.x as its free clients know it, with a NETSCAN that is nobody's but ours (its real
form was never published); ScanEngine, Kaspersky Scan Engine in HTTP mode."""
import base64
import json
import os
import stat

from .base import PAYLOAD, Emulator, Ended, Fault

DETECTED = b"EICAR-Test-File"
GREETING = b"201 KAV emulator ready"


def read_file(path):
    """Octets and what everybody can see of the file, or None where there is no such file."""
    try:
        with open(path, "rb") as source:
            status, above = os.fstat(source.fileno()), os.stat(os.path.dirname(path))
            return source.read(), {"path": path, "mode": stat.S_IMODE(status.st_mode), "directory": stat.S_IMODE(above.st_mode),
                                   "group": status.st_gid}
    except OSError:
        return None, None


class Aveserver(Emulator):
    def __init__(self, path=None, port=0, greeting=GREETING, licensed=True, framing="length", goahead=None, command=b"NETSCAN"):
        """LICENSED: it knows NETSCAN. GOAHEAD: a line that it says before it takes a message."""
        super().__init__(path, port)
        self.greeting, self.licensed, self.framing, self.goahead, self.command = greeting, licensed, framing, goahead, command
        self.commands = []  # every line
        self.files = []     # what was seen of every file

    def talk(self, conversation):
        conversation.send(self.greeting + b"\r\n")
        if not self.greeting.startswith(b"2"):
            raise Ended
        while True:
            line = conversation.take_until(b"\n").rstrip(b"\r")
            with self.condition:
                self.commands.append(line)
            word, _, rest = line.partition(b" ")
            if word.upper() == b"QUIT":
                conversation.send(b"201 Bye\r\n")
                raise Ended
            if word == b"SCAN":
                self._scan(conversation, rest.split(b" ", 1)[1])
            elif word == self.command and self.licensed:
                self._netscan(conversation, rest.split(b" "))
            else:
                conversation.send(b"502 " + word[:20] + b" not licensed\r\n")
                if word == self.command:
                    raise Ended

    def _scan(self, conversation, path):
        fault = self.next_fault()
        octets, seen = read_file(path.decode())
        if octets is None:
            conversation.answer(b"525 File not found\r\n", fault)
            return
        with self.condition:
            self.files.append(seen)
        self.note_scan("SCAN", octets)
        self._answer(conversation, octets, path, fault)

    def _netscan(self, conversation, arguments):
        fault = self.next_fault()
        if self.goahead:
            conversation.send(self.goahead + b"\r\n")
        octets = b"" if fault.early else self._receive(conversation, arguments)
        self.note_scan("NETSCAN", octets)
        self._answer(conversation, octets, b"/stream", fault)
        if fault.early:
            raise Ended

    def _receive(self, conversation, arguments):
        if self.framing == "length":
            return conversation.take(int(arguments[1]))
        octets = b""
        if self.framing == "chunk":
            while size := int.from_bytes(conversation.take(4), "big"):
                octets += conversation.take(size)
            return octets
        while (line := conversation.take_until(b"\r\n")) != b".":
            octets += line[line.startswith(b"."):] + b"\r\n"
        return octets

    def _answer(self, conversation, octets, path, fault):
        name = fault.name or (DETECTED if PAYLOAD in octets else None)
        if fault.wrong_id:
            name, path = name or DETECTED, path + b".other" if path == b"/stream" else path.replace(b".eml", b"9.eml")
        if name:
            conversation.answer(b"322-" + name + b" " + path + b"/part1\r\n230 File is infected\r\n", fault)
        else:
            conversation.answer(b"220 File is clean\r\n", fault)


class ScanEngine(Emulator):
    def __init__(self, path=None, port=0):
        super().__init__(path, port)
        self.requests = []  # (request line, header dictionary) of every request
        self.files = []
        self.result = None  # instead of what the octets say

    def talk(self, conversation):
        line = conversation.take_until(b"\r\n").decode()
        headers = {}
        while header := conversation.take_until(b"\r\n").decode():
            key, _, value = header.partition(": ")
            headers[key] = value
        with self.condition:
            self.requests.append((line, headers))
        method, target, _ = line.split(" ")
        fault = self.next_fault()
        body = b"" if fault.early else conversation.take(int(headers["Content-Length"]))
        rest = target.startswith("/api/v3.0/")
        scanned = base64.b64decode(json.loads(body)["object"]) if rest and target.endswith("/scanmemory") and not fault.early else body
        if target.endswith("/scanfile"):
            path = json.loads(body)["object"] if rest else body.decode()
            scanned, seen = read_file(path)
            with self.condition:
                self.files.append(seen)
        if method != "POST" or target.rsplit("/", 1)[1] not in ("scanmemory", "scanfile") or (not rest and headers.get("X-KAV-ProtocolVersion") != "1"):
            conversation.send(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            raise Ended
        self.note_scan(target, scanned or b"")
        conversation.answer(self._answer(rest, scanned, fault), fault)
        raise Ended

    def answer_to_clean(self, rest):
        return self._answer(rest, b"", Fault())

    def _answer(self, rest, scanned, fault):
        name = (fault.name or (DETECTED if PAYLOAD in (scanned or b"") else b"")).decode("latin-1")
        result = self.result or ("SERVER_ERROR" if scanned is None else "DETECT" if name else "CLEAN")
        if rest:
            body = json.dumps({"object": "memory", "scanResult": result, **({"detectionName": name} if name else {})}, separators=(",", ":")).encode()
        else:
            body = f"{result} {name}".strip().encode("latin-1") + b"\r\n"
        kind = b"application/json" if rest else b"text/plain"
        return (b"HTTP/1.0 200 OK\r\nServer: KAVHTTPD/1.0\r\nX-KAV-ProtocolVersion: " + (b"3" if rest else b"1") + b"\r\nContent-Type: " + kind
                + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
