"""Messages over two pipes."""

from __future__ import annotations

import os
import pickle

import pytest

from fleetsweep.model.host import Host
from fleetsweep.policy.rules import Policy
from fleetsweep.sweep.frames import Ask, Signal, pipe_end, receive, send
from fleetsweep.sweep.one_host import Look
from fleetsweep.sweep.slices import SurveyTask


def test_what_is_sent_is_received_and_an_end_that_closes_ends_the_other() -> None:
    reading, writing = os.pipe()
    with pipe_end(reading, writes=False) as here:
        with pipe_end(writing, writes=True) as there:
            ask = Ask(7, SurveyTask(Host("a", "a"), Policy(), Look(), 5.0))
            send(there, ask)
            send(there, Signal.STOP)
            assert receive(here) == ask
            assert receive(here) is Signal.STOP
        with pytest.raises(EOFError):
            receive(here)


def test_another_object_is_no_message() -> None:
    reading, writing = os.pipe()
    with pipe_end(reading, writes=False) as here, pipe_end(writing, writes=True) as there:
        there.send_bytes(pickle.dumps({"a": 1}))
        with pytest.raises(TypeError, match="not a message: dict"):
            receive(here)
