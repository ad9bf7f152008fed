"""Signals that end a run early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from fleetsweep.cli.signals import SignalHandler


def test_the_first_signal_asks_the_run_to_stop() -> None:
    stopped = threading.Event()
    handler = SignalHandler(stopped)
    handler.install()
    os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.wait(10)
    assert handler.signal == signal.SIGTERM


def test_a_signal_interrupts_the_question() -> None:
    handler = SignalHandler(threading.Event())
    handler.install()
    handler.asking = True
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_nohup_stays_in_effect() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    SignalHandler(threading.Event()).install()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_the_second_signal_ends_the_program_at_once() -> None:
    code = (
        "import signal, threading; from fleetsweep.cli.signals import SignalHandler\n"
        "SignalHandler(threading.Event()).install()\n"
        "signal.raise_signal(signal.SIGTERM); signal.raise_signal(signal.SIGINT); print('still here')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
