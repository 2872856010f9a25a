"""What every widget has, without a page."""

from __future__ import annotations

import pytest
import traitlets

from ftkit.widgets.frame import Frame


class Counter(Frame):
    """A widget with something to tell."""

    _esm = "export default { render() {} };"

    count = traitlets.Int().tag(sync=True)
    choice = traitlets.Dict().tag(sync=True)


@pytest.fixture
def counter():
    """A widget, what it sends, and what is called before each message goes."""
    widget = Counter(count=1)
    widget.sent, widget.before = [], lambda: None

    def send(data, buffers=None, **_):
        widget.before()
        widget.sent.append((data["method"], data.get("state", data.get("content"))))

    widget.comm.send = send
    return widget


def test_a_page_that_asks_for_the_state_is_sent_it_before_the_answer(counter):
    counter._handle_custom_msg({"do": "ping", "state": ["count"]}, [])
    assert counter.sent == [("update", {"count": 1}), ("custom", {"pong": True})]


def test_a_page_that_has_heard_of_everything_is_sent_no_state(counter):
    counter._handle_custom_msg({"do": "ping", "state": []}, [])
    counter._handle_custom_msg({"do": "ping"}, [])
    assert counter.sent == 2 * [("custom", {"pong": True})]


def test_what_changes_while_the_state_is_being_sent_is_sent_last(counter):
    def change():
        counter.before = lambda: None
        counter.count = 2

    counter.before = change  # another thread, between the reading and the sending
    counter._handle_custom_msg({"do": "ping", "state": ["count"]}, [])
    told = [state["count"] for method, state in counter.sent if method == "update"]
    assert told[-1] == 2


def test_a_page_cannot_ask_for_what_is_not_meant_for_it(counter):
    counter._handle_custom_msg({"do": "ping", "state": ["comm", "_still"]}, [])
    assert counter.sent == [("custom", {"pong": True})]
