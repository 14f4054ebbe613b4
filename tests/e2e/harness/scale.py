# SPDX-License-Identifier: MIT
"""Tests in two sizes. One that is worth running longer or larger than tests/run can afford is marked

    @pytest.mark.soak("name", "what it is about", seconds=(5, None), clients=(6, 16))

and asks for the fixture `scale`: scale.seconds and scale.clients are the first of each pair in tests/run (at most 10 s a test),
the second with --soak MINUTES, where None means: as long as MINUTES says. tests/soak/run is the front end of the latter.
"""
import os
import random
import time

import pytest


class Scale:
    def __init__(self, name, sizes, seed):
        self.name, self.sizes, self.seed = name, sizes, seed
        self.begin = time.monotonic()
        self.facts = {}  # what the run came to, for the table at its end

    def __getattr__(self, name):
        try:
            return self.__dict__["sizes"][name]
        except KeyError:
            raise AttributeError(f"the test's mark soak has no size {name}") from None

    def random(self, *path):
        """A generator of its own for each PATH, so that the order of threads does not change what each of them draws."""
        return random.Random("/".join(map(str, (self.name, self.seed, *path))))

    def left(self):
        """Seconds of this form's time that are left; at most 0: it is over."""
        return self.begin + self.sizes["seconds"] - time.monotonic()

    def restart(self):
        """The time counts from now on: starting the programs is not part of it."""
        self.begin = time.monotonic()

    def count(self, name, more=1):
        self.facts[name] = self.facts.get(name, 0) + more


def pytest_addoption(parser):
    group = parser.getgroup("soak")
    group.addoption("--soak", type=float, metavar="MINUTES", help="the full forms of the tests marked soak, and only these")
    group.addoption("--soak-name", action="append", metavar="NAME", help="of them only this one; may be repeated")
    group.addoption("--soak-list", action="store_true", help="list them with both sizes and run nothing")
    group.addoption("--corpus", metavar="DIR", help="mails, each a file, for the form ham: a directory, or a pattern")
    group.addoption("--seed", type=int, help="of what they draw by chance; default: 1, and the clock with --soak")


def pytest_configure(config):
    config.addinivalue_line("markers", "soak(name, text, size=(scaled, full), …): has a full form, see harness/scale.py")
    config.soak_ran = []
    if config.getoption("seed") is None:
        config.option.seed = int(time.time()) if config.getoption("soak") else 1


def mark_of(item):
    return item.get_closest_marker("soak")


def sizes_of(mark, minutes):
    chosen = {key: pair[0 if minutes is None else 1] for key, pair in mark.kwargs.items()}
    return {key: minutes * 60 if value is None else value for key, value in chosen.items()}


def pytest_collection_modifyitems(config, items):
    names = config.getoption("soak_name")
    if config.getoption("soak_list") or config.getoption("soak") is not None:
        known = {mark_of(item).args[0] for item in items if mark_of(item)}
        for name in names or []:
            if name not in known:
                raise pytest.UsageError(f"--soak-name {name}: expected one of {', '.join(sorted(known))}")
        chosen = [item for item in items if mark_of(item) and (not names or mark_of(item).args[0] in names)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    if config.getoption("soak_list"):
        for mark in {mark_of(item).args[0]: mark_of(item) for item in items}.values():
            sizes = "; ".join(f"{key} {small} / {'--minutes' if full is None else full}" for key, (small, full) in mark.kwargs.items())
            print(f"{mark.args[0]:20} {mark.args[1]} ({sizes})")
        items.clear()


@pytest.fixture
def scale(request):
    mark, config = mark_of(request.node), request.config
    the_scale = Scale(mark.args[0], sizes_of(mark, config.getoption("soak")), config.getoption("seed"))
    yield the_scale
    failed = getattr(request.node, "stash_failed", True)
    config.soak_ran.append((request.node.name, the_scale, time.monotonic() - the_scale.begin, failed))


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("soak") is None or not config.soak_ran:
        return
    terminalreporter.section(f"soak, seed {config.getoption('seed')}, {os.cpu_count()} processors")
    for test, the_scale, seconds, failed in config.soak_ran:
        sizes = ", ".join(f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in the_scale.sizes.items())
        facts = ", ".join(f"{value} {key}" for key, value in sorted(the_scale.facts.items()))
        terminalreporter.write_line(f"{'FAILED' if failed else 'passed'} {the_scale.name:20} {seconds:7.1f} s  {test} ({sizes})\n"
                                    f"       {facts}")
