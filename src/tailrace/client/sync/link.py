"""Executes commands on `httpx2.Client`: at most one response at a time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx2

from tailrace.client.border import head_of, no_read_timeout, outcome_of, request_arguments, shut_down, socket_of
from tailrace.client.commands import (
    Close,
    Command,
    Deliver,
    Failure,
    Opened,
    Outcome,
    Read,
    Send,
    Signal,
    Steps,
    StopRemote,
    Wait,
)
from tailrace.client.sync.watchdog import Guard, Watchdog
from tailrace.errors import LocalProtocolError, TailraceError

T = TypeVar("T")


class Link:
    """A connection to ``name``, over ``http``. ``stop_remote`` executes `StopRemote`."""

    def __init__(
        self, http: httpx2.Client, name: str, watchdog: Watchdog, stop_remote: Callable[[], Any] | None = None
    ) -> None:
        self.reader: int | None = None
        """Identity of the thread that is executing a command."""
        self._http = http
        self._name = name
        self._watchdog = watchdog
        self._stop_remote = stop_remote
        self._response: httpx2.Response | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._socket: socket.socket | None = None
        self._guard: Guard | None = None
        self._woken = threading.Event()

    def perform(self, command: Command) -> Outcome:
        """Execute ``command``; when that is broken off (Ctrl-C), the response is closed and the exception goes on."""
        self.reader = threading.get_ident()
        try:
            return self._perform(command)
        except BaseException:
            self.close()
            raise
        finally:
            self.reader = None

    def wake(self) -> None:
        """Make the command that is being executed return soon; from any thread, and from a signal handler."""
        self._woken.set()
        self._hang_up()

    def close(self) -> None:
        """Close the response, and its connection unless it was read to its end."""
        response, self._response, self._chunks, self._socket = self._response, None, iter(()), None
        if response is not None:
            response.close()

    def _perform(self, command: Command) -> Outcome:
        match command:
            case Read():
                return self._read(command.seconds)
            case Send():
                return self._send(command)
            case Close():
                self.close()
            case Wait():
                self._woken.wait(command.seconds)
                self._woken.clear()
            case StopRemote():
                return self._stop()
            case Opened() | Deliver():
                pass
        return Signal.DONE

    def _send(self, command: Send) -> Outcome:
        self.close()
        if self._http.is_closed:
            return Failure(LocalProtocolError("the client is closed"))
        try:
            response = self._http.send(self._http.build_request(**request_arguments(command)), stream=True)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return outcome_of(error, self._name)
        self._response, self._chunks = response, response.iter_bytes()
        self._socket = socket_of(response)
        if self._socket is None:
            # Nothing to shut: the transport's own timeout, for the head, has to do for the body.
            self._guard = None
        else:
            self._guard = self._watchdog.guard(self._hang_up)
            no_read_timeout(response)
        return head_of(response)

    def _read(self, seconds: float | None) -> Outcome:
        guard = self._guard if seconds is not None else None
        if guard is not None and seconds is not None:
            guard.arm(seconds)
        outcome: Outcome
        try:
            outcome = next(self._chunks, Signal.END)
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            outcome = outcome_of(error, self._name)
        finally:
            if guard is not None:
                guard.disarm()
        # A body that ends with its connection shows a shut one as its ordinary end.
        fired = guard is not None and guard.fired and not isinstance(outcome, bytes)
        return Signal.TIMED_OUT if fired else outcome

    def _hang_up(self) -> None:
        if self._socket is not None:
            shut_down(self._socket)

    def _stop(self) -> Outcome:
        try:
            if self._stop_remote is not None:
                self._stop_remote()
        except TailraceError as error:
            return Failure(error)
        return Signal.DONE


def run(steps: Steps[T], link: Link) -> T:
    """Execute ``steps`` to their end and return their result."""
    try:
        command = next(steps)
        while True:
            command = steps.send(link.perform(command))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        link.close()
