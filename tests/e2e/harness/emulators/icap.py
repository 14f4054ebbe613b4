# SPDX-License-Identifier: MIT
"""An ICAP server (RFC 3507) for RESPMOD and REQMOD: OPTIONS, previews, chunks, keep-alive, and the words of several vendors. The plain one says
what c-icap with virus_scan says; test_emulators.py holds it against the real one."""
import time

from .base import PAYLOAD, Emulator, Ended

DETECTED = b"Test.Payload"
ISTAG = b"emu-0001"
CLEAN = b'ICAP/1.0 204 Unmodified\r\nServer: Emu/1.0\r\nConnection: keep-alive\r\nISTag: "%b"\r\n\r\n'


def page(name):
    body = b"<html><body>Blocked: " + name + b"</body></html>"
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head, b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def c_icap(name):
    return b"200 OK", [b"X-Infection-Found: Type=0; Resolution=2; Threat=" + name + b";", b"X-Violations-Found: 1", b"\t-", b"\t" + name, b"\t0", b"\t0"]


def symantec(name):
    return b"201 Created", [b"Service-ID: SYMCSCANRESP-AV", b"X-Violations-Found: 1", b"message.eml", name, b"11101", b"2", b"X-Outer-Container-Is-Mime: 0"]


def eset(name):
    return b"200 OK", [b"X-Infection-Found: Type=0; Resolution=0; Threat=" + name + b";", b"X-Virus-ID: " + name, b"X-Response-Info: Blocked"]


def sophos(name):
    return b"200 OK", [b"X-Blocked: Virus found during virus scan", b"X-Blocked-By: Sophos Anti-Virus", b"X-Virus-Name: " + name]


def kaspersky(name):
    return b"200 OK", [b"X-Virus-ID: " + name]


def fsecure(name):
    return b"200 OK", [b"X-FSecure-Scan-Result: infected", b'X-FSecure-Infection-Name: "' + name + b'"']


def trend(name):
    return b"200 OK", [b"X-Virus-ID: " + name, b"X-Infection-Found: Type=0; Resolution=2; Threat=" + name + b";"]


def mcafee(name):
    return b"200 OK", [b"X-Virus-Name: " + name, b"X-Block-Result: 80"]


VENDORS = {"c-icap": c_icap, "symantec": symantec, "eset": eset, "sophos": sophos, "kaspersky": kaspersky, "f-secure": fsecure, "trend": trend, "mcafee": mcafee}


class Icap(Emulator):
    def __init__(self, path=None, port=0, vendor="c-icap", service="avscan", methods=b"RESPMOD, REQMOD", preview=1024, allow_204=True, max_connections=None,
                 ttl=3600, max_object=None, detected=DETECTED):
        """MAX_OBJECT: what is larger comes back unscanned, before it was read, as with c-icap's MaxObjectSize."""
        super().__init__(path, port)
        self.vendor, self.service, self.methods, self.preview, self.allow_204 = VENDORS[vendor], service, methods, preview, allow_204
        self.max_connections, self.ttl, self.max_object = max_connections, ttl, max_object
        self.istag, self.detected = ISTAG, detected
        self.requests = []  # (request line, headers) of every request
        self.think = 0      # seconds over each message
        self.busy, self.most_busy = 0, 0
        self.without_headers = None  # instead of a verdict: status line and ICAP headers for every message

    def talk(self, conversation):
        spoke = False
        while True:
            try:
                line, headers = self._head(conversation)
            except Ended:
                with self.condition:  # the broker's look whether somebody is there
                    self.connections -= not spoke and not conversation.buffer
                raise
            spoke = True
            with self.condition:
                self.requests.append((line, headers))
            method, target, version = line.split(b" ")
            service = target.split(b"/", 3)[3].split(b"?")[0].decode()
            if service != self.service:
                conversation.send(b"ICAP/1.0 404 ICAP Service not found\r\nConnection: close\r\n\r\n")
                raise Ended
            if method == b"OPTIONS":
                conversation.send(self._options())
            elif method not in self.methods.split(b", ") or version != b"ICAP/1.0":
                conversation.send(b"ICAP/1.0 405 Method not allowed for service\r\nConnection: close\r\n\r\n")
                raise Ended
            else:
                self._scan(conversation, method, headers)

    def _head(self, conversation):
        lines = conversation.take_until(b"\r\n\r\n").split(b"\r\n")
        return lines[0], {key.lower(): value for key, _, value in (line.partition(b": ") for line in lines[1:])}

    def _options(self):
        lines = [b"ICAP/1.0 200 OK", b"Methods: " + self.methods, b"Service: Emu AV 1.0", b'ISTag: "' + self.istag + b'"']
        if self.allow_204:
            lines.append(b"Allow: 204")
        if self.preview is not None:
            lines += [b"Preview: %d" % self.preview, b"Transfer-Preview: *"]
        if self.max_connections:
            lines.append(b"Max-Connections: %d" % self.max_connections)
        return b"\r\n".join(lines + [b"Options-TTL: %d" % self.ttl, b"Encapsulated: null-body=0", b"", b""])

    def _chunks(self, conversation):
        """Octets up to the last chunk, and whether that one said that there is no more behind the preview."""
        octets = b""
        while True:
            line = conversation.take_until(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                conversation.take_until(b"\r\n")
                return octets, b"ieof" in line
            octets += conversation.take(size)
            assert conversation.take(2) == b"\r\n"

    def _scan(self, conversation, method, headers):
        fault = self.next_fault()
        sections = [s.strip().split(b"=") for s in headers[b"encapsulated"].split(b",")]
        enclosed = conversation.take(int(sections[-1][1]))
        assert sections[-1][0] in (b"req-body", b"res-body"), sections
        length = int(enclosed.rsplit(b"Content-Length: ", 1)[1].split(b"\r\n")[0]) if b"Content-Length" in enclosed else 0
        if self.max_object and length > self.max_object:
            self._send_back(conversation, method, enclosed)
            return
        if fault.early and b"preview" not in headers:
            conversation.answer(CLEAN % self.istag)
            conversation.wait_gone()
        octets, all_there = self._chunks(conversation)
        if b"preview" in headers and not all_there:
            assert len(octets) == int(headers[b"preview"]), "a preview is as long as it says"
            conversation.answer(b"ICAP/1.0 100 Continue\r\n\r\n")
            if fault.early:
                conversation.answer(CLEAN % self.istag)
                conversation.wait_gone()
            octets += self._chunks(conversation)[0]
        self._ponder()
        self.note_scan(method.decode(), octets)
        conversation.answer(self._answer(method, enclosed, octets, headers, fault), fault)

    def _ponder(self):
        with self.condition:
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        time.sleep(self.think)
        with self.condition:
            self.busy -= 1

    def _send_back(self, conversation, method, enclosed):
        """An echo of what is not scanned, which begins while the client is still sending."""
        head, empty = self._echo(method, enclosed, b"").rsplit(b"0\r\n\r\n", 1)
        assert empty == b""
        conversation.send(head)
        octets, _ = self._chunks(conversation)
        conversation.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(octets), octets))

    def _reply(self, status, lines, sections):
        return b"\r\n".join([b"ICAP/1.0 " + status, b"Server: Emu/1.0", b"Connection: keep-alive", b'ISTag: "' + self.istag + b'"', *lines,
                             b"Encapsulated: " + sections, b"", b""])

    def _echo(self, method, enclosed, octets):
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(octets), octets) if octets else b"0\r\n\r\n"
        if method == b"REQMOD":
            return self._reply(b"200 OK", [], b"req-hdr=0, req-body=%d" % len(enclosed)) + enclosed + body
        at = enclosed.find(b"HTTP/1.1 200")
        head = enclosed[at:] if at >= 0 else b"HTTP/1.1 200 OK\r\n\r\n"
        return self._reply(b"200 OK", [], b"res-hdr=0, res-body=%d" % len(head)) + head + body

    def _answer(self, method, enclosed, octets, headers, fault):
        name = fault.name or (self.detected if PAYLOAD in octets else None)
        if fault.wrong_id:
            return b'ICAP/1.0 204 Unmodified\r\nISTag: "' + b"x" * 200 + b'"\r\n\r\n'
        if name:
            status, lines = self.vendor(name)
            head, body = page(b"virus")
            return self._reply(status, lines, b"res-hdr=0, res-body=%d" % len(head)) + head + body
        if self.without_headers:
            status, lines = self.without_headers
            return self._reply(status, lines, b"null-body=0")
        if b"204" in headers.get(b"allow", b"") or b"preview" in headers:
            return CLEAN % self.istag
        return self._echo(method, enclosed, octets)
