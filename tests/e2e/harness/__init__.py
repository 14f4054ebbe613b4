# SPDX-License-Identifier: MIT
"""The end-to-end harness: postern as a whole program on loopback, between clients and backends that do exactly as they are told.

places     where programs are, ports, directories; waiting for what has no event
postern    one running postern: configuration, log events, processes, a clean end
backend    a scripted backend that can misbehave at every step and keeps every byte
client     a scripted client that sends exact bytes
postfix    a private Postfix, unpacked and never installed
swaks      swaks as client
mail       messages: clean, infected, archives, orders to the test engine
talk       what was said on one connection, read from its octets: messages, digests, replies
book       who talked to a postern in one run, what its backends hold, what the test did to it
ledger     the promises that every run must keep, each a function over a book's evidence
"""
