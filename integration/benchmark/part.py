# SPDX-License-Identifier: GPL-2.0-or-later
"""What a part of the benchmark consists of, whatever it measures."""

from dataclasses import dataclass


@dataclass
class Metric:
    """
    `name` is its key in the record. `added`: what a contender adds to the part's baseline is worth
    a column. `compared`: so is its ratio to ours.
    """

    name: str
    label: str
    unit: str
    digits: int = 0
    added: bool = False
    compared: bool = True


@dataclass
class Setting:
    """What a contender is started for."""

    tokens: int = 1
    strangers: int = 0  # who are connected and say nothing
    sources: int = 0  # of networks that are redirected; 0: everybody is
    keep: bool = False  # connections are to be kept, for who has to be told


class Measure:
    """
    Puts one load on one contender, or looks at it, and returns its metrics by name. One that a
    contender has not (the CPU of nobody) is left out.
    """

    key = ""
    title = ""
    metrics = ()
    setting = Setting()
    most_rounds = None  # fewer of what is the same each time, or takes long
    starts = False  # whether it starts the contender itself, as a part of what is measured

    def describe(self, _options):
        """The title, with numbers that the options have."""
        return self.title

    def rounds(self, wanted):
        return wanted if self.most_rounds is None else min(wanted, self.most_rounds)

    def takes(self, _contender):
        """Whether this contender can be measured so."""
        return True

    def run(self, course, contender):
        raise NotImplementedError


@dataclass
class Part:
    """
    `ours` is the contender that all others' ratios are to. `baseline`, if there is one, is the
    contender without anything in between.
    """

    key: str
    title: str
    ours: str
    contenders: list  # classes of Contender
    measures: list
    baseline: str = ""
    charts: list = ()  # of chart.Chart; then the measures are Sized

    def rounds(self, wanted):
        return max(measure.rounds(wanted) for measure in self.measures)
